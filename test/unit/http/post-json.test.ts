import dns from 'node:dns';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { AnswerLateError, postJson } from '../../../lib/http/post-json';

let server: Server | TcpServer;
let connections: number;

async function listening(made: Server | TcpServer): Promise<string> {
  server = made;
  connections = 0;
  server.on('connection', () => (connections += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/in?a=1`;
}

const answering = (listener: RequestListener) => listening(createServer(listener));
const post = (url: string, timeoutMs = 5000) => postJson(url, '{"õ":1}', { 'x-own': 'yes' }, timeoutMs);

afterEach(async () => {
  jest.restoreAllMocks();
  const closed = once(server, 'close');
  server.close();
  if ('closeAllConnections' in server) server.closeAllConnections();
  await closed;
});

it('posts JSON with its length and what else is to be said', async () => {
  let seen: unknown;
  const url = await answering((request, response) => {
    const { method, url: path, headers } = request;
    void text(request).then((body) => {
      seen = {
        method,
        path,
        body,
        type: headers['content-type'],
        own: headers['x-own'],
        length: headers['content-length'],
      };
      response.writeHead(202, { 'retry-after': '3' }).end('taken');
    });
  });
  await expect(post(url)).resolves.toMatchObject({ status: 202, headers: { 'retry-after': '3' } });
  expect(seen).toEqual({
    ...{ method: 'POST', path: '/in?a=1', body: '{"õ":1}', type: 'application/json', own: 'yes', length: '8' },
  });
});

it('follows no redirect', async () => {
  const url = await answering((request, response) => {
    response.writeHead(request.url === '/in?a=1' ? 302 : 200, { location: '/other' }).end();
  });
  await expect(post(url)).resolves.toMatchObject({ status: 302 });
});

it('uses a connection again, also after answers that nobody reads', async () => {
  const url = await answering((_request, response) => void response.end('x'.repeat(10_000)));
  for (let i = 0; i < 10; i++) {
    await post(url);
    await new Promise((resolve) => setTimeout(resolve, 20)); // the body is read behind our back
  }
  expect(connections).toBeLessThan(10);
});

it('reads no answer without end', async () => {
  let closed: Promise<unknown> = Promise.resolve();
  const url = await answering((_request, response) => {
    closed = once(response, 'close');
    const write = () => void (response.write('x'.repeat(60_000)) ? setImmediate(write) : response.once('drain', write));
    write();
  });
  await expect(post(url)).resolves.toMatchObject({ status: 200 });
  await closed;
});

it('says that an answer is late, and lets go of the connection', async () => {
  let closed: Promise<unknown> = Promise.resolve();
  const url = await answering((_request, response) => void (closed = once(response, 'close')));
  await expect(post(url, 100)).rejects.toThrow(AnswerLateError);
  await closed;
});

it('does not wait longer for a head that comes in drops', async () => {
  const drops = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 200 OK\r\n');
    const timer = setInterval(() => socket.write('x-more: 1\r\n'), 20);
    socket.on('close', () => clearInterval(timer));
  });
  const url = await listening(drops);
  await expect(post(url, 200)).rejects.toThrow(AnswerLateError);
});

it('does not wait for a peer that switches to another protocol', async () => {
  const url = await listening(
    createTcpServer((socket) => {
      socket.on('error', () => undefined).resume();
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n');
    }),
  );
  await expect(post(url)).rejects.toThrow('without an answer');
});

it('tells a peer that took the request from one that was never reached', async () => {
  const silent = await answering(() => undefined);
  await expect(post(silent, 100)).rejects.toMatchObject({ unsent: false });
  jest.spyOn(dns, 'lookup').mockReturnValue(undefined); // never answers
  await expect(post('http://chatbot.test/', 100)).rejects.toMatchObject({ unsent: true });
});

it.each([
  ['nobody listens', undefined, 'ECONNREFUSED'],
  ['the connection is cut', 'cut', 'ECONNRESET'],
])('says what the system says when %s', async (_name, how, code) => {
  const url = await answering((request) => void request.socket.destroy());
  const target = how ? url : 'http://127.0.0.1:1/';
  await expect(post(target)).rejects.toMatchObject({ code });
});
