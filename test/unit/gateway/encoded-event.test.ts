import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server as HttpServer } from 'node:http';
import { Server, type Socket } from 'socket.io';
import { io, type Socket as Client } from 'socket.io-client';
import { emitEncoded, EncodedEvent, forgetAck } from '../../../lib/gateway/encoded-event';

const NAMESPACE = '/v1/dmr-agent-events';

let http: HttpServer;
let server: Server;
const clients: Client[] = [];

beforeEach(async () => {
  http = createServer().listen(0, '127.0.0.1');
  await once(http, 'listening');
  server = new Server(http);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await server.close();
});

/** Both ends of one connection. */
async function connect(transport: string, namespace = NAMESPACE): Promise<{ client: Client; socket: Socket }> {
  const { port } = http.address() as AddressInfo;
  const arrived = once(server.of(namespace), 'connection') as Promise<[Socket]>;
  const client = io(`http://127.0.0.1:${port}${namespace}`, { transports: [transport], forceNew: true });
  clients.push(client);
  const [socket] = await arrived;
  if (!client.connected) await new Promise<void>((resolve) => client.once('connect', resolve));
  return { client, socket };
}

/** Sends it down and resolves to what came, and what came back. */
async function sendDown({ client, socket }: { client: Client; socket: Socket }, body: Buffer) {
  let came: unknown;
  client.once('message', (message: unknown, ack: (answer: unknown) => void) => {
    came = message;
    ack({ status: 'ok' });
  });
  const answer = await new Promise((resolve) => emitEncoded(socket, 'message', body, resolve));
  return { came, answer };
}

describe.each(['websocket', 'polling'])('JSON that is sent down as it is over %s', (transport) => {
  it.each([
    ['a small object', { id: 'x' }],
    ['what is more than one byte each', { id: 'õ€😀', payload: '\u2028\\"' }],
    ['a frame with a length of two bytes', { payload: 'x'.repeat(60_000) }],
    ['a frame with a length of eight bytes', { payload: 'x'.repeat(70_000) }],
  ])('arrives with its ack: %s', async (_name, message) => {
    const ends = await connect(transport);
    const body = Buffer.from(JSON.stringify(message));
    expect(await sendDown(ends, body)).toEqual({ came: message, answer: { status: 'ok' } });
    expect((ends.socket as unknown as { acks: Map<number, unknown> }).acks.size).toBe(0);
  });

  it('arrives in order with what is emitted otherwise', async () => {
    const { client, socket } = await connect(transport);
    const came: unknown[] = [];
    client.onAny((_event, message: unknown) => came.push(message));
    const done = new Promise<void>((resolve) => client.once('last', () => resolve()));
    socket.emit('first', 1);
    emitEncoded(socket, 'message', Buffer.from('2'), () => undefined);
    new EncodedEvent(NAMESPACE, 'list', 3).sendTo(socket);
    socket.emit('last', 4);
    await done;
    expect(came).toEqual([1, 2, 3, 4]);
  });

  it('is heard of no more once its ack is forgotten', async () => {
    const { client, socket } = await connect(transport);
    const answer = jest.fn();
    const late = new Promise<() => void>((resolve) => {
      client.once('message', (_message: unknown, ack: () => void) => resolve(ack));
    });
    forgetAck(socket, emitEncoded(socket, 'message', Buffer.from('{}'), answer));
    (await late)();
    await sendDown({ client, socket }, Buffer.from('{}'));
    expect(answer).not.toHaveBeenCalled();
  });

  it.each(['/sõnumid', '/質問'])('goes to a namespace that is not ASCII: %s', async (namespace) => {
    const ends = await connect(transport, namespace);
    expect(await sendDown(ends, Buffer.from('{"a":"õ"}'))).toEqual({ came: { a: 'õ' }, answer: { status: 'ok' } });
  });

  it('goes to the main namespace as well', async () => {
    const ends = await connect(transport, '/');
    expect(await sendDown(ends, Buffer.from('{"a":1}'))).toMatchObject({ came: { a: 1 } });
  });
});

it('is not sent to a socket that has left, whose connection may be open', async () => {
  const { socket } = await connect('websocket');
  const packet = jest.fn();
  socket.disconnect();
  socket.conn.on('packetCreate', packet);
  emitEncoded(socket, 'message', Buffer.from('1'), () => undefined);
  expect(packet).not.toHaveBeenCalled();
});
