import type { ValidationSchema } from 'fastest-validator';

/** A JSON Schema of draft 2020-12. */
export type JsonSchema = Record<string, unknown>;

type Rule = Record<string, unknown> & { type: string };

/** What the rule `uuid` of fastest-validator takes: RFC 9562 in either case, and the nil UUID. */
const UUID =
  '^([\\da-fA-F]{8}-[\\da-fA-F]{4}-([126][\\da-fA-F]{3}-[\\da-fA-F]{4}|[34578][\\da-fA-F]{3}-[89abAB][\\da-fA-F]{3})-[\\da-fA-F]{12}|0{8}(-0{4}){3}-0{12})$';

type Convert = (rule: Rule, custom: CustomRules) => JsonSchema;

/** What stands for rules that are code, by the rule itself. */
export type CustomRules = ReadonlyMap<unknown, JsonSchema>;

const TYPES: Record<string, { knows: readonly string[]; convert: Convert }> = {
  uuid: { knows: [], convert: () => ({ type: 'string', format: 'uuid', pattern: UUID }) },
  string: {
    knows: ['empty'],
    convert: ({ empty }) => ({ type: 'string', ...(empty === false && { minLength: 1 }) }),
  },
  equal: {
    knows: ['value', 'strict'],
    convert: ({ value, strict }) => {
      if (strict !== true) throw new TypeError('equal without strict compares loosely, which JSON Schema cannot say');
      return { const: value };
    },
  },
  array: {
    knows: ['items'],
    convert: ({ items }, custom) => ({ type: 'array', items: converted(items as Rule, custom) }),
  },
  object: {
    knows: ['props', 'strict'],
    convert: ({ props, strict }, custom) => objectSchema(props as Record<string, Rule>, strict, custom),
  },
};

/**
 * The JSON Schema that takes what a schema of fastest-validator takes, and nothing else. Throws a TypeError for every
 * rule and every option of one that it does not know; `custom` says what stands for those that are code.
 */
export function jsonSchemaOf({ $$strict, ...props }: ValidationSchema, custom: CustomRules = new Map()): JsonSchema {
  return objectSchema(props, $$strict, custom);
}

function objectSchema(props: Record<string, Rule>, strict: unknown, custom: CustomRules): JsonSchema {
  if (strict !== undefined && typeof strict !== 'boolean') throw new TypeError('strict must be true or false');
  const required = Object.keys(props).filter((name) => props[name]?.optional !== true);
  const properties = Object.entries(props).map(([name, rule]) => [name, converted(rule, custom)]);
  return {
    type: 'object',
    ...(required.length > 0 && { required }),
    properties: Object.fromEntries(properties) as JsonSchema,
    ...(strict === true && { additionalProperties: false }),
  };
}

function converted(rule: Rule, custom: CustomRules): JsonSchema {
  const own = custom.get(rule);
  if (own) return own;
  const { type, optional, ...options } = rule;
  const known = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (!known) throw new TypeError(`the rule ${type} has no counterpart in JSON Schema here`);
  const unknown = Object.keys(options).filter((name) => !known.knows.includes(name));
  if (unknown.length > 0)
    throw new TypeError(`the rule ${type} has options without a counterpart: ${unknown.join(', ')}`);
  const schema = known.convert(rule, custom);
  if (optional === true && typeof schema.type !== 'string')
    throw new TypeError(`the rule ${type} cannot be optional here`);
  // fastest-validator takes null for what may be absent.
  return optional === true ? { ...schema, type: [schema.type, 'null'] } : schema;
}
