import { setTimeout as pause } from 'node:timers/promises';
import { KeyRing } from '../../../lib/crypto/key-ring';
import { MESSAGE_DOWN, SERVER_LEAVING, type AgentAck } from '../../../lib/protocol/events';
import { LoginKeys } from '../../../lib/uplink/login-keys';
import { UplinkClient } from '../../../lib/uplink/uplink-client';
import { NAMESPACE } from '../../helpers/deployed-agent';
import { eventually } from '../../helpers/eventually';
import { makeIdentity } from '../../helpers/keys';
import { RecordingLog } from '../fakes';
import { FakeServer } from './fake-server';

const FAST = { everyMs: 5 };
const REFUSED: AgentAck = { status: 'error', errors: [{ type: 'DELIVERY_FAILED', message: 'the first was refused' }] };
const alpha = makeIdentity('alpha');
const keys = new LoginKeys(new KeyRing(alpha.privateKeyPem), () => undefined);

/** Acks have numbers that each server begins to count anew: those of two connections are the same. */
describe('an answer that is due when its connection is gone', () => {
  let server: FakeServer;
  let client: UplinkClient;
  /** Ends the work on a message by its id. */
  let finish: Map<string, (answer: AgentAck) => void>;
  let failed: jest.Mock;

  beforeEach(async () => {
    finish = new Map();
    failed = jest.fn();
    server = await FakeServer.start();
    // One address for all servers, as behind a load balancer.
    const uplink = { urls: [server.url], namespace: NAMESPACE, reconnectDelayMs: 50, reconnectDelayMaxMs: 50 };
    const work = (message: unknown) =>
      new Promise<AgentAck>((resolve) => finish.set((message as { id: string }).id, resolve));
    client = new UplinkClient({ agentId: alpha.id, uplink }, keys, work, new RecordingLog());
    client.start();
    await eventually(() => client.ready, FAST);
  });

  afterEach(async () => {
    await client.stop();
    await server.close();
  });

  /** Sends a message down and resolves once the agent works on it; the answers to it are gathered. */
  async function send(id: string): Promise<unknown[]> {
    const answers: unknown[] = [];
    server.socket.emit(MESSAGE_DOWN, { id }, (answer: unknown) => answers.push(answer));
    await eventually(() => finish.has(id), FAST);
    return answers;
  }

  /** Another server in the place of the one there was. */
  async function replace(options: Parameters<typeof FakeServer.start>[0] = {}): Promise<void> {
    const { port } = server;
    await server.close();
    await eventually(() => !client.connected, FAST);
    client.on('failed', failed);
    server = await eventually(() => FakeServer.start({ ...options, port }));
  }

  it('is no answer to a message of the next connection', async () => {
    await send('first');
    await replace();
    await eventually(() => client.ready, FAST);
    const answers = await send('second');
    finish.get('first')?.(REFUSED);
    await pause(0); // it would go out now
    finish.get('second')?.({ status: 'ok' });
    await eventually(() => answers.length > 0, FAST);
    expect(answers).toEqual([{ status: 'ok' }]);
  });

  it('does not disturb the login under way', async () => {
    await send('first');
    let letIn: (() => void) | undefined;
    await replace({ middleware: (_socket, next) => (letIn = next) });
    await eventually(() => letIn !== undefined, FAST);
    failed.mockClear(); // attempts while nobody listened
    finish.get('first')?.(REFUSED);
    await pause(50); // for a server that would end the connection over it
    letIn?.();
    await eventually(() => client.ready, FAST);
    expect(failed).not.toHaveBeenCalled();
  });

  it('does not end the next connection where its server left', async () => {
    await send('first');
    server.socket.emit(SERVER_LEAVING, { reconnectAfterMs: 0 });
    await eventually(() => !client.ready, FAST);
    server.socket.disconnect(true);
    await eventually(() => client.ready && server.sockets.length === 2, FAST);
    const disconnected = jest.fn();
    client.on('disconnected', disconnected);
    await pause(2500); // longer than what is under way may take when a server leaves
    expect(disconnected).not.toHaveBeenCalled();
    expect(client.ready).toBe(true);
  });
});
