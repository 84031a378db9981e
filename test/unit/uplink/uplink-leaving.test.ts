import { randomUUID } from 'node:crypto';
import { KeyRing } from '../../../lib/crypto/key-ring';
import type { RetryableError } from '../../../lib/errors';
import type { Envelope } from '../../../lib/protocol/envelope';
import { MESSAGE_DOWN, SERVER_LEAVING, type AgentAck } from '../../../lib/protocol/events';
import { LoginKeys } from '../../../lib/uplink/login-keys';
import { type MessageListener, UplinkClient } from '../../../lib/uplink/uplink-client';
import { NAMESPACE } from '../../helpers/deployed-agent';
import { eventually } from '../../helpers/eventually';
import { makeIdentity } from '../../helpers/keys';
import { RecordingLog } from '../fakes';
import { FakeServer } from './fake-server';

const OK: AgentAck = { status: 'ok' };
const FAST = { everyMs: 5 };
const alpha = makeIdentity('alpha');
const keys = new LoginKeys(new KeyRing(alpha.privateKeyPem), () => undefined);

let one: FakeServer;
let two: FakeServer;
let client: UplinkClient;

beforeEach(async () => {
  one = await FakeServer.start();
  two = await FakeServer.start();
});

afterEach(async () => {
  await client.stop();
  await Promise.all([one.close(), two.close()]);
});

/** A client that is logged in at server one. */
async function connect(onMessage: MessageListener = () => Promise.resolve(OK)): Promise<void> {
  // So long that only the server's word can bring it back in time.
  const uplink = {
    urls: [one.url, two.url],
    namespace: NAMESPACE,
    reconnectDelayMs: 600_000,
    reconnectDelayMaxMs: 600_000,
  };
  client = new UplinkClient({ agentId: alpha.id, uplink }, keys, onMessage, new RecordingLog());
  client.start();
  await eventually(() => client.ready, FAST);
}

const envelope = () => ({ id: randomUUID() }) as Envelope;

describe('a server that leaves', () => {
  it('is told in the handshake that the agent understands it', async () => {
    await connect();
    expect(one.socket.handshake.auth.extensions).toEqual(['leaving', 'retryable']);
  });

  it('is left for the next one after the time it says', async () => {
    await connect();
    const leaving = jest.fn();
    client.on('leaving', leaving);
    const told = performance.now();
    one.socket.emit(SERVER_LEAVING, { reconnectAfterMs: 200 });
    await eventually(() => two.sockets.length === 1 && client.ready, FAST);
    expect(performance.now() - told).toBeGreaterThanOrEqual(195);
    expect(one.socket.connected).toBe(false);
    expect(leaving).toHaveBeenCalledTimes(1);
  });

  it('is left for the next one in time when the clock is set back meanwhile', async () => {
    await connect();
    client.on('leaving', () => jest.spyOn(Date, 'now').mockReturnValue(0));
    const [upMs] = await new Promise<[number]>((resolve) => {
      client.on('disconnected', (ms) => resolve([ms]));
      one.socket.emit(SERVER_LEAVING, { reconnectAfterMs: 200 });
    });
    jest.restoreAllMocks();
    expect(upMs).toBeGreaterThan(0);
    await eventually(() => two.sockets.length === 1 && client.ready, FAST);
  });

  it('gets nothing new, and what is under way is awaited', async () => {
    let ack: (answer: unknown) => void = () => undefined;
    one.answer = () => new Promise((resolve) => (ack = resolve));
    await connect();
    const sending = client.send(envelope(), 60_000);
    await eventually(() => one.messages.length === 1, FAST);
    one.socket.emit(SERVER_LEAVING, { reconnectAfterMs: 0 });
    await eventually(() => !client.ready, FAST);
    await expect(client.send(envelope(), 1000)).rejects.toMatchObject({ code: 'UPLINK_DOWN' });
    expect([client.connected, one.messages.length, two.sockets.length]).toEqual([true, 1, 0]);
    ack({ status: 'ok' });
    await expect(sending).resolves.toEqual({ status: 'ok' });
    await eventually(() => two.sockets.length === 1, FAST);
  });

  it('gets the answers to what it had sent', async () => {
    let finish: (ack: AgentAck) => void = () => undefined;
    await connect(() => new Promise((resolve) => (finish = resolve)));
    const answers: unknown[] = [];
    one.socket.emit(MESSAGE_DOWN, { id: 'x' }, (answer: unknown) => answers.push(answer));
    one.socket.emit(SERVER_LEAVING, { reconnectAfterMs: 0 });
    await eventually(() => !client.ready, FAST);
    expect(client.connected).toBe(true);
    finish(OK);
    await eventually(() => answers.length === 1 && two.sockets.length === 1, FAST);
    expect(answers).toEqual([OK]);
  });

  it('is not waited for longer than two seconds', async () => {
    one.answer = () => new Promise(() => undefined);
    await connect();
    const failed = client.send(envelope(), 60_000).catch((error: unknown) => error as RetryableError);
    await eventually(() => one.messages.length === 1, FAST);
    const told = performance.now();
    one.socket.emit(SERVER_LEAVING, { reconnectAfterMs: 0 });
    expect((await failed) as RetryableError).toMatchObject({ code: 'UPLINK_LOST', alone: false });
    expect(performance.now() - told).toBeLessThan(6000);
    await eventually(() => two.sockets.length === 1, FAST);
  });

  it('may drop the socket before the agent does: it comes back when it was told to', async () => {
    one.answer = () => new Promise(() => undefined);
    await connect();
    void client.send(envelope(), 60_000).catch(() => undefined);
    await eventually(() => one.messages.length === 1, FAST);
    one.socket.emit(SERVER_LEAVING, { reconnectAfterMs: 100 });
    await eventually(() => !client.ready, FAST);
    one.socket.disconnect(true);
    await eventually(() => two.sockets.length === 1 && client.ready, FAST);
  });

  it('cannot stop the agent for good', async () => {
    await connect();
    one.socket.emit(SERVER_LEAVING, { reconnectAfterMs: 100 });
    await client.stop();
    await new Promise((resolve) => setTimeout(resolve, 200)); // twice the time after which it would come back
    expect(two.sockets).toEqual([]);
  });
});
