import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Errors as MoleculerErrors, ServiceBroker, type ServiceSchema } from 'moleculer';
import ApiGateway from 'moleculer-web';
import { FinalError, RetryableError } from '../../../lib/errors';
import { HttpError, type Problem, problemOf } from '../../../lib/http/problem';

const INTERNAL = { status: 500, code: 'INTERNAL' };

describe('problemOf', () => {
  it('takes an HttpError at its word', () => {
    const errors = [{ path: 'id', rule: 'uuid', message: 'why' }];
    expect(problemOf(new HttpError(400, 'MESSAGE_INVALID', 'text', errors))).toEqual({
      status: 400,
      code: 'MESSAGE_INVALID',
      message: 'text',
      errors,
    });
    expect(problemOf(new HttpError(502, 'UPLINK_DOWN', 'text'))).toMatchObject({ status: 502, code: 'UPLINK_DOWN' });
  });

  it.each([
    ['an error of another kind', new TypeError('secret')],
    ['an error of ours without a status', new FinalError('KEY_INVALID', 'secret')],
    ['one that may pass', new RetryableError('NO_ANSWER', 'secret')],
    ['an error with a status of the server', Object.assign(new Error('secret'), { status: 503 })],
    ['an error with an odd status', Object.assign(new Error('secret'), { status: 'teapot' })],
    ['a text', 'secret'],
    ['nothing', undefined],
    ['null', null],
    ['a number', 404],
  ])('makes %s a 500 that tells nothing', (_what, error) => {
    const problem = problemOf(error);
    expect(problem).toMatchObject(INTERNAL);
    expect(JSON.stringify(problem)).not.toContain('secret');
  });

  it('takes no missing service for a missing path: a caller would give up', () => {
    expect(problemOf(new MoleculerErrors.ServiceNotFoundError({ action: 'outbox.send' }))).toMatchObject(INTERNAL);
    expect(problemOf(new MoleculerErrors.ServiceNotAvailableError({ action: 'outbox.send' }))).toMatchObject(INTERNAL);
  });

  it('knows a caller’s mistake by its status', () => {
    const error = Object.assign(new Error('secret'), { status: 422 });
    expect(problemOf(error)).toEqual({ status: 422, code: 'BAD_REQUEST', message: 'The request cannot be read' });
  });
});

describe('what moleculer-web and its body parser throw', () => {
  const broker = new ServiceBroker({ logger: false });
  let port: number;

  beforeAll(async () => {
    const http = broker.createService(api());
    await broker.start();
    port = ((http as unknown as { server: Server }).server.address() as AddressInfo).port;
  });
  afterAll(() => broker.stop());

  const json = { 'content-type': 'application/json' };

  const cases: [string, string, { headers?: Record<string, string>; body?: BodyInit }, number, string][] = [
    ['a path of another kind', '/elsewhere', {}, 404, 'NOT_FOUND'],
    ['a path that is not listed', '/v1/elsewhere', {}, 404, 'NOT_FOUND'],
    ['a path that cannot be decoded', '/v1/%E0%A4', {}, 404, 'NOT_FOUND'],
    ['half of a JSON text', '/v1/messages', { body: '{"id":' }, 400, 'BODY_NOT_JSON'],
    ['a text in place of an object', '/v1/messages', { body: '"secret"' }, 400, 'BODY_NOT_JSON'],
    ['more than is allowed', '/v1/messages', { body: `"${'x'.repeat(2000)}"` }, 413, 'BODY_TOO_LARGE'],
    ['a charset nobody knows', '/v1/messages', typed('application/json; charset=x'), 415, 'CHARSET_UNSUPPORTED'],
    ['an encoding nobody knows', '/v1/messages', encoded('zz', '{}'), 415, 'ENCODING_UNSUPPORTED'],
    ['gzip that is none', '/v1/messages', encoded('gzip', '{"secret":1}'), 400, 'BAD_REQUEST'],
    [
      'half of a gzip',
      '/v1/messages',
      encoded('gzip', new Uint8Array(gzipSync('{}')).slice(0, 12)),
      400,
      'BAD_REQUEST',
    ],
  ];

  it.each(cases)('%s', async (_what, path, { headers, body }, status, code) => {
    const init = { method: 'POST', headers: { ...json, ...headers }, body: body ?? '{}' };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    const problem = (await response.json()) as Problem;
    expect(problem).toMatchObject({ status, code });
    expect(JSON.stringify(problem)).not.toContain('secret');
  });

  /** As mixins/http.mixin answers. */
  function api(): ServiceSchema {
    const answer = (_request: IncomingMessage, response: ServerResponse, error: unknown) =>
      void response.writeHead(problemOf(error).status).end(JSON.stringify(problemOf(error)));
    const route = {
      path: '/v1',
      bodyParsers: { json: { limit: '1kb' } },
      mappingPolicy: 'restrict',
      aliases: { 'POST /messages': (_request: IncomingMessage, response: ServerResponse) => void response.end() },
    };
    return {
      name: 'api',
      mixins: [ApiGateway],
      settings: { port: 0, ip: '127.0.0.1', routes: [route] },
      methods: { errorHandler: answer, sendError: answer },
    };
  }

  function typed(contentType: string) {
    return { headers: { 'content-type': contentType }, body: '{}' };
  }

  function encoded(encoding: string, body: BodyInit) {
    return { headers: { 'content-encoding': encoding }, body };
  }
});
