import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { openApiDocument } from '../../lib/openapi/document';

const ID = 'https://dmr.invalid/openapi.json';

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema({ $id: ID, ...openApiDocument() });

/** A check of JSON against a part of the document, named by its place in it: `components/schemas/Message`. */
export function checkOf(place: string): ValidateFunction {
  const pointer = place.split(' ').map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1'));
  return ajv.compile({ $ref: `${ID}#/${pointer.join('/')}` });
}

/** What the document says of an operation, by `path method`, and of its webhooks by `webhooks name`. */
export interface Operation {
  responses: Record<string, { headers?: Record<string, unknown>; content?: Record<string, unknown> }>;
}

/** Every operation of the document by its method and path. */
export function operations(document = openApiDocument()): Map<string, Operation> {
  const paths = document.paths as Record<string, Record<string, Operation>>;
  return new Map(
    Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
    ),
  );
}

/** The check of an answer's body; undefined where none is documented. */
export function answerCheck(operation: string, status: number): ValidateFunction | undefined {
  const [method = '', path = ''] = operation.split(' ');
  const response = operations().get(operation)?.responses[status];
  if (!response) throw new Error(`${operation} is not said to answer ${status}`);
  if (!response.content?.['application/json']) return undefined;
  return checkOf(`paths ${path} ${method.toLowerCase()} responses ${status} content application/json schema`);
}
