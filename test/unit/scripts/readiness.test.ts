import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { freePorts } from '../../../scripts/lib/broker/free-ports';
import { amqpAnswers } from '../../../scripts/lib/broker/readiness';

const servers: Server[] = [];

async function listening(onConnection: (socket: Socket) => void, port = 0): Promise<number> {
  const server = createServer(onConnection).listen(port, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

afterAll(() => servers.forEach((server) => server.close()));

describe('amqpAnswers', () => {
  const host = '127.0.0.1';

  it('waits until the door opens', async () => {
    const [port] = (await freePorts(1)) as [number];
    setTimeout(() => void listening((socket) => socket.once('data', () => socket.end('x')), port), 200);
    await expect(amqpAnswers({ host, port, timeoutMs: 5000 })).resolves.toBeUndefined();
  });

  it('takes no accepted connection for an answer', async () => {
    const port = await listening((socket) => socket.resume().end());
    const nobody = amqpAnswers({ host, port, timeoutMs: 300 });
    await expect(nobody).rejects.toThrow(`No RabbitMQ answered on 127.0.0.1:${port} within 0.3 s`);
  });

  it('gives up as soon as the broker is gone', async () => {
    const [port] = (await freePorts(1)) as [number];
    const gone = amqpAnswers({ host, port, timeoutMs: 60_000, signal: AbortSignal.abort() });
    await expect(gone).rejects.toThrow('ended before it answered');
  });
});
