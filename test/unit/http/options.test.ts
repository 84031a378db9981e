import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ServiceBroker } from 'moleculer';
import { httpMixin } from '../../../mixins/http.mixin';

const broker = new ServiceBroker({ logger: false });
const asked = jest.fn();
const answer = (_request: unknown, response: ServerResponse) => {
  asked();
  response.end();
};
const service = broker.createService({
  name: 'http',
  mixins: [httpMixin],
  settings: {
    port: 0,
    routes: [{ path: '/', mappingPolicy: 'restrict', aliases: { 'GET /read': answer, 'POST /write': answer } }],
  },
});

beforeAll(() => broker.start());
afterAll(() => broker.stop());

const ask = async (method: string, path: string, headers = {}) => {
  const { port } = (service as unknown as { server: Server }).server.address() as AddressInfo;
  return (await fetch(`http://127.0.0.1:${port}${path}`, { method, headers })).status;
};

describe('OPTIONS', () => {
  it.each([
    ['/read', {}],
    ['/read', { 'access-control-request-method': 'GET' }],
    ['/write', { 'access-control-request-method': 'POST' }],
    ['/nothing', {}],
  ])('of %s with %p is 404 and runs no route', async (path, headers) => {
    expect(await ask('OPTIONS', path, headers)).toBe(404);
    expect(asked).not.toHaveBeenCalled();
  });

  it('does not get in the way of the methods that are served', async () => {
    expect([await ask('GET', '/read'), await ask('POST', '/write')]).toEqual([200, 200]);
    expect(asked).toHaveBeenCalledTimes(2);
  });
});
