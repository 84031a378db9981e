import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { AgentDirectory } from '../../../lib/agents/directory';
import type { ServerConfig } from '../../../lib/config/types';
import { AgentGateway, type AgentSocket } from '../../../lib/gateway/agent-gateway';
import type { NodeRouter } from '../../../lib/router/node-router';
import { countingMetrics, RecordingLog } from '../fakes';

const AGENT = 'a';
const config = {
  socket: { listGraceMs: 0, namespace: '/agents', drainTimeoutMs: 1000, pingIntervalMs: 10_000, pingTimeoutMs: 8000 },
  delivery: { prefetch: 50, maxTries: 1, ackTimeoutMs: 1, retryDelayMaxMs: 1 },
  limits: { perSecond: 0, inFlight: 10, messageBytes: 1000 },
} as unknown as ServerConfig;

/** A socket that the door has let in, with the key that was listed then. */
function socketWith(certificate: string) {
  const disconnect = jest.fn();
  const data = { agentId: AGENT, certificate };
  const socket = Object.assign(new EventEmitter(), {
    data,
    disconnect,
    connected: false,
    conn: new EventEmitter(),
    handshake: { auth: {} },
  });
  return { socket: socket as unknown as AgentSocket, disconnect };
}

function gatewayThatLists(...certificates: string[]) {
  const { metrics } = countingMetrics();
  const directory = new AgentDirectory();
  const record = { id: AGENT, name: AGENT, createdAt: '', updatedAt: '' };
  directory.replace(certificates.map((authenticationCertificate) => ({ ...record, authenticationCertificate })));
  const router = { directory } as unknown as NodeRouter;
  const takeOver = () => Promise.resolve({ newer: false, gone: [] });
  return new AgentGateway(config, router, 'here', takeOver, metrics, new RecordingLog());
}

describe('a socket whose token was good', () => {
  it.each([
    ['left the list', []],
    ['got another key', ['new']],
  ])('is turned away when its agent %s before it connected', (_what, listed) => {
    const { socket, disconnect } = socketWith('old');
    const gateway = gatewayThatLists(...listed);
    gateway.connected(socket);
    expect(disconnect).toHaveBeenCalledWith(true);
    expect(gateway.size).toBe(0);
  });

  it('is a session otherwise', () => {
    const { socket, disconnect } = socketWith('old');
    const gateway = gatewayThatLists('old');
    gateway.connected(socket);
    expect(disconnect).not.toHaveBeenCalled();
    expect(gateway.size).toBe(1);
  });
});

describe('a node that is drained by two operators', () => {
  const drained = { agents: 0, stayed: 0 };

  function drainThatAsks() {
    const gateway = gatewayThatLists();
    let answer: (open: boolean) => void = () => undefined;
    const othersOpen = new Promise<boolean>((resolve) => (answer = resolve));
    return { gateway, answer, first: gateway.drain(() => othersOpen) };
  }

  it('is drained for the second when it is for the first, who has asked already', async () => {
    const { gateway, answer, first } = drainThatAsks();
    const ask = jest.fn(() => Promise.resolve(false));
    const second = gateway.drain(ask);
    await setImmediate();
    answer(true);
    await expect(Promise.all([first, second])).resolves.toEqual([drained, drained]);
    expect(ask).not.toHaveBeenCalled();
    expect(gateway.isLeaving).toBe(true);
  });

  it('asks again for the second when the first was refused', async () => {
    const { gateway, answer, first } = drainThatAsks();
    const ask = jest.fn(() => Promise.resolve(true));
    const second = gateway.drain(ask);
    await setImmediate();
    expect(ask).not.toHaveBeenCalled();
    answer(false);
    await expect(first).rejects.toMatchObject({ code: 'LAST_GATEWAY' });
    await expect(second).resolves.toEqual(drained);
    expect(gateway.isLeaving).toBe(true);
  });

  it('lets agents in when the second undoes it, however early', async () => {
    const { gateway, answer, first } = drainThatAsks();
    const undone = gateway.comeBack();
    await setImmediate();
    answer(true);
    await Promise.all([first, undone]);
    expect(gateway.isLeaving).toBe(false);
  });
});
