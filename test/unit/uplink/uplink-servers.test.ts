import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { AgentConfig } from '../../../lib/config/types';
import { KeyRing } from '../../../lib/crypto/key-ring';
import { Attempts } from '../../../lib/uplink/attempts';
import { LoginKeys } from '../../../lib/uplink/login-keys';
import { UplinkClient } from '../../../lib/uplink/uplink-client';
import { NAMESPACE } from '../../helpers/deployed-agent';
import { eventually } from '../../helpers/eventually';
import { makeIdentity } from '../../helpers/keys';
import { RecordingLog } from '../fakes';
import { FakeServer } from './fake-server';

/** Long enough for a login on a machine that has much else to do. */
const ATTEMPT_MS = 800;

const alpha = makeIdentity('alpha');
const keys = new LoginKeys(new KeyRing(alpha.privateKeyPem), () => undefined);
const open: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function serve(options?: Parameters<typeof FakeServer.start>[0]): Promise<FakeServer> {
  const server = await FakeServer.start(options);
  open.unshift(() => server.close());
  return server;
}

function makeClient(urls: string[], attemptTimeoutMs?: number): UplinkClient {
  const uplink = { urls, namespace: NAMESPACE, reconnectDelayMs: 10, reconnectDelayMaxMs: 40 };
  const config = { agentId: alpha.id, uplink } as AgentConfig;
  const ok = () => Promise.resolve({ status: 'ok' as const });
  const client = new UplinkClient(config, keys, ok, new RecordingLog(), attemptTimeoutMs);
  open.unshift(() => client.stop());
  return client;
}

describe('an uplink with several servers', () => {
  it('goes to the next when one is gone, and round again', async () => {
    const [one, two] = [await serve(), await serve()];
    const { port } = one;
    const client = makeClient([one.url, two.url]);
    client.start();
    await eventually(() => one.sockets.length === 1, { everyMs: 5 });
    await one.close();
    await eventually(() => two.sockets.length === 1, { everyMs: 5 });
    const again = await serve({ port });
    await two.close();
    await eventually(() => again.sockets.length === 1 && client.ready, { everyMs: 5 });
  });

  it('goes to the next when one refuses the login', async () => {
    const refusing = await serve({ middleware: (_socket, next) => next(new Error('Token refused')) });
    const welcoming = await serve();
    makeClient([refusing.url, welcoming.url]).start();
    await eventually(() => welcoming.sockets.length === 1, { everyMs: 5 });
  });
});

describe('an attempt that is never answered', () => {
  it.each(['that takes connections and says nothing', 'that opens the transport and lets nobody in'])(
    'is given up at a server %s',
    async (kind) => {
      const mute = kind.includes('transport')
        ? await serve({ middleware: () => undefined })
        : { url: await listenMutely() };
      const welcoming = await serve();
      const client = makeClient([mute.url, welcoming.url], ATTEMPT_MS);
      client.start();
      await eventually(() => welcoming.sockets.length === 1 && client.ready, { everyMs: 5 });
    },
  );

  it('is the end of no login that came in time', async () => {
    const server = await serve();
    const client = makeClient([server.url], ATTEMPT_MS);
    client.start();
    await eventually(() => client.ready, { everyMs: 5 });
    await new Promise((resolve) => setTimeout(resolve, ATTEMPT_MS * 1.5));
    expect([client.ready, server.sockets.length]).toEqual([true, 1]);
  });
});

describe('the waits between attempts', () => {
  it('grow with each that ends without a login, with jitter, up to the longest', () => {
    const attempts = new Attempts(['http://a'], 100, 350);
    const waits = [1, 2, 3, 4].map(() => attempts.waitMs());
    [100, 200, 350, 350].forEach((most, index) => {
      expect(waits[index]).toBeGreaterThanOrEqual(most / 2);
      expect(waits[index]).toBeLessThanOrEqual(most);
    });
    attempts.loggedIn();
    expect(attempts.waitMs()).toBeLessThanOrEqual(100);
    const draws = new Set(Array.from({ length: 20 }, () => new Attempts([], 1000, 1000).waitMs()));
    expect(draws.size).toBeGreaterThan(5);
  });

  it('grow at a server that refuses every login', async () => {
    const at: number[] = [];
    const refusing = await serve({
      middleware: (_socket, next) => {
        at.push(performance.now());
        next(new Error('Token refused'));
      },
    });
    const client = makeClient([refusing.url]);
    client.start();
    await eventually(() => at.length >= 6, { everyMs: 5 });
    // The waits are at least 5, 10, 20, 20 and 20 ms; without growth they would be 10 ms at the most.
    expect(at[5]! - at[2]!).toBeGreaterThanOrEqual(58);
  });
});

it('notices a server that is frozen by the pings that do not come', async () => {
  const script = `
    const { Server } = require('socket.io');
    const http = require('node:http').createServer().listen(0, '127.0.0.1', () => console.log(http.address().port));
    const io = new Server(http, { pingInterval: 200, pingTimeout: 300 });
    io.of('${NAMESPACE}').on('connection', (socket) => socket.emit('dmr:agents:full-list', [[]]));`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  open.push(() => void child.kill('SIGKILL'));
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  const other = await serve();
  const client = makeClient([`http://127.0.0.1:${port.toString().trim()}`, other.url]);
  client.start();
  await eventually(() => client.ready, { everyMs: 5 });
  child.kill('SIGSTOP');
  await eventually(() => other.sockets.length === 1 && client.ready, { timeoutMs: 5000 });
});

/** Takes connections and never says a word. */
async function listenMutely(): Promise<string> {
  const server = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
