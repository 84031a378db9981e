import { EventEmitter } from 'node:events';
import type { Socket } from 'socket.io';
import { AgentSession } from '../../../lib/gateway/agent-session';
import { EncodedEvent } from '../../../lib/gateway/encoded-event';
import type { Inflow } from '../../../lib/gateway/inflow';
import { Outflow } from '../../../lib/gateway/outflow';
import { FULL_LIST, MESSAGE_DOWN } from '../../../lib/protocol/events';

const AGENT = '7b2d9e44-1c57-4a8e-8f3b-5e6f7a8b9c02';
const LISTEN_MS = 320_000;

const NAMESPACE = '/v1/dmr-agent-events';
const agents = new EncodedEvent(NAMESPACE, FULL_LIST, [[{ id: AGENT, name: 'beta' }]]);
const envelope = { id: 'x', payload: 'sealed' };
const body = Buffer.from(JSON.stringify(envelope));

/** As much of a socket as a session touches. */
class FakeSocket {
  readonly conn = Object.assign(new EventEmitter(), { transport: { name: 'polling', writable: true } });
  /** Acks that are still to come, as Socket.IO keeps them. */
  readonly acks = new Map<number, unknown>();
  readonly nsp = { name: NAMESPACE, _ids: 7 };
  readonly emitted: unknown[][] = [];
  readonly disconnect = jest.fn();
  readonly handshake: { auth: Record<string, unknown> } = { auth: {} };
  connected = true;
  /** Runs within each emit, as a free transport does. */
  whileEmitting: () => void = () => undefined;

  readonly client = {
    writeToEngine: ([packet]: [string]) => {
      const at = packet.indexOf('[');
      if (packet.startsWith(`2${NAMESPACE},`)) this.sent(JSON.parse(packet.slice(at)) as unknown[]);
    },
  };

  emit(...args: unknown[]): void {
    this.sent(args);
  }

  private sent(args: unknown[]): void {
    this.emitted.push(args);
    this.whileEmitting();
  }

  /** The agent answers its nth message; Socket.IO ignores what it no longer waits for. */
  acknowledge(index: number, ack: unknown): void {
    (this.acks.get(7 + index) as ((ack: unknown) => void) | undefined)?.(ack);
    this.acks.delete(7 + index);
  }
}

let socket: FakeSocket;
let session: AgentSession;
let counted: string[];

const newSession = () => {
  const onSend = (event: string) => counted.push(event);
  const outflow = new Outflow(socket as unknown as Socket, 1000);
  return new AgentSession(AGENT, socket as unknown as Socket, LISTEN_MS, onSend, {} as Inflow, outflow);
};

beforeEach(() => {
  socket = new FakeSocket();
  counted = [];
  session = newSession();
});

describe('the list', () => {
  it('is one argument, an array that holds the list', async () => {
    socket.whileEmitting = () => socket.conn.emit('drain');
    await session.sendFullList(agents, 0);
    expect(socket.emitted).toEqual([[FULL_LIST, [[{ id: AGENT, name: 'beta' }]]]]);
    expect(counted).toEqual([FULL_LIST]);
  });

  it('is not done before the transport has taken it', async () => {
    const done = jest.fn();
    const listeners = socket.conn.listenerCount('drain');
    const sending = session.sendFullList(agents, 0).then(done);
    // Longer than the pause that follows, which is none.
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(done).not.toHaveBeenCalled();
    socket.conn.emit('drain');
    await sending;
    expect(done).toHaveBeenCalled();
    expect(socket.conn.listenerCount('drain')).toBe(listeners);
  });

  it('is not done before the agent had its time to read it', async () => {
    socket.whileEmitting = () => socket.conn.emit('drain');
    const before = performance.now();
    await session.sendFullList(agents, 50);
    expect(performance.now() - before).toBeGreaterThanOrEqual(49); // a timer may be early by a fraction
  });

  it('is not waited for when the socket closes', async () => {
    const sending = session.sendFullList(agents, 60_000);
    socket.connected = false;
    socket.conn.emit('close');
    await sending;
    await session.sendFullList(agents, 60_000);
    expect(socket.emitted).toHaveLength(1);
  });

  it('is given up when the transport takes nothing', async () => {
    const timeout = jest.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort());
    await session.sendFullList(agents, 0);
    expect(timeout).toHaveBeenCalledWith(5000);
    timeout.mockRestore();
  });
});

describe('extensions', () => {
  const announcing = (extensions: unknown) => {
    socket.handshake.auth.extensions = extensions;
    return newSession();
  };

  it("are answered with the server's own, right before the list", async () => {
    socket.whileEmitting = () => socket.conn.emit('drain');
    await announcing([]).sendFullList(agents, 0);
    expect(socket.emitted).toEqual([
      ['dmr:extensions', ['leaving', 'retryable', 'final']],
      [FULL_LIST, [[{ id: AGENT, name: 'beta' }]]],
    ]);
  });

  it('are known by name', () => {
    expect(announcing(['leaving', 'other']).knows('leaving')).toBe(true);
    expect(announcing(['leaving']).knows('retryable')).toBe(false);
  });

  it.each([undefined, null, 'leaving', { 0: 'leaving' }, [1], ['leaving', 'x'.repeat(65)], Array(33).fill('leaving')])(
    'are none for a peer that sends %j',
    async (extensions) => {
      socket.whileEmitting = () => socket.conn.emit('drain');
      const deployed = announcing(extensions);
      expect(deployed.knows('leaving')).toBe(false);
      await deployed.sendFullList(agents, 0);
      expect(socket.emitted).toEqual([[FULL_LIST, [[{ id: AGENT, name: 'beta' }]]]]);
    },
  );
});

describe('a message down', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it.each([{ status: 'ok' }, null, undefined, 'text'])('brings the ack %j back as it is', (ack) => {
    const answer = jest.fn();
    session.send(body, answer);
    expect(socket.emitted[0]?.slice(0, 2)).toEqual([MESSAGE_DOWN, envelope]);
    expect(counted).toEqual([MESSAGE_DOWN]);
    socket.acknowledge(0, ack);
    expect(answer.mock.calls).toEqual([[ack]]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is listened to for as long as an ack can matter, each on its own', () => {
    const [first, second] = [jest.fn(), jest.fn()];
    session.send(body, first);
    jest.advanceTimersByTime(LISTEN_MS - 1);
    session.send(body, second);
    socket.acknowledge(0, 1);
    jest.advanceTimersByTime(LISTEN_MS);
    socket.acknowledge(1, 2);
    expect(first).toHaveBeenCalledWith(1);
    expect(second).not.toHaveBeenCalled();
    expect(socket.acks.size).toBe(0);
  });
});

describe('the session', () => {
  it('is open while its socket is', () => {
    expect(session.isOpen).toBe(true);
    socket.connected = false;
    expect(session.isOpen).toBe(false);
  });

  it('drops the connection with the socket', () => {
    session.drop();
    expect(socket.disconnect).toHaveBeenCalledWith(true);
  });
});
