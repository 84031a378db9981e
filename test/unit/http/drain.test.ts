import { once } from 'node:events';
import { Agent, createServer, request, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { drainHttp } from '../../../lib/http/drain';

let server: Server;
const client = new Agent({ keepAlive: true, maxSockets: 1 });

async function serve(listener: RequestListener): Promise<void> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
}

/** Status of a request over the one connection; the code of the error when there is none any more. */
function ask(): Promise<number | string> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve) => {
    request({ port, host: '127.0.0.1', agent: client }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    })
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      .end();
  });
}

afterEach(() => {
  client.destroy();
  server.closeAllConnections();
});

it('answers a request that has arrived, then refuses', async () => {
  let answer = () => {};
  const arrived = new Promise<void>((resolve) => {
    void serve((_request, response) => {
      answer = () => response.end();
      resolve();
    });
  });
  await once(server, 'listening');
  const asked = ask();
  await arrived;
  const { port } = server.address() as AddressInfo;
  const drained = drainHttp(server, 5000);
  answer();
  await expect(asked).resolves.toBe(200);
  await drained;
  const late = await fetch(`http://127.0.0.1:${port}`).then(
    () => 'answered',
    () => 'refused',
  );
  expect(late).toBe('refused');
});

it('ends although a client never stops asking over its connection, and fails none of its answers', async () => {
  await serve((_request, response) => void setTimeout(() => response.end(), 5));
  const answers: (number | string)[] = [];
  const { port } = server.address() as AddressInfo;
  let asking = true;
  const asked = (async () => {
    while (asking) {
      const url = { port, host: '127.0.0.1', agent: client };
      const answer = await new Promise<number | string>((resolve) => {
        request(url, (response) => response.resume().on('end', () => resolve(response.statusCode ?? 0)))
          .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
          .end();
      });
      answers.push(answer);
      if (answer === 'ECONNREFUSED') break;
    }
  })();
  while (answers.length < 3) await new Promise((resolve) => setImmediate(resolve));
  await drainHttp(server, 60_000);
  asking = false;
  await asked;
  expect(new Set(answers.filter((answer) => answer !== 'ECONNREFUSED'))).toEqual(new Set([200]));
});

it.each([0, -3_600_000])('cuts off what is not answered in time, the clock set by %d ms', async (stepMs) => {
  await serve(() => undefined);
  const asked = ask();
  await once(server, 'connection');
  const drained = drainHttp(server, 50);
  const now = Date.now();
  const clock = jest.spyOn(Date, 'now').mockReturnValue(now + stepMs);
  await drained;
  clock.mockRestore();
  await expect(asked).resolves.toBe('ECONNRESET');
});
