import { EventEmitter } from 'node:events';
import { ServiceBroker } from 'moleculer';
import { transporterGuard } from '../../../lib/mesh/transporter-guard';

type Hook = (broker: ServiceBroker) => void;
const created = transporterGuard.created as Hook;
const starting = transporterGuard.starting as Hook;
const stopped = transporterGuard.stopped as Hook;

// Jest's fake timers know nothing of this module; through the global function they do.
jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise((resolve) => globalThis.setTimeout(resolve, ms, value)),
}));

const close = jest.fn<Promise<void>, []>();
const connect = jest.fn(() => Promise.resolve());
const disconnect = jest.fn(() => Promise.resolve());
const destroy = jest.fn();

const fakeConnection = () => Object.assign(new EventEmitter(), { close, connection: { stream: { destroy } } });

/** As much of a broker as the guard touches. */
function fakeBroker(connection: object | null = fakeConnection(), url = ['amqp://one']) {
  const tx = { connection, connect, disconnect, opts: { url } };
  const transit = { opts: {} as { disableReconnect?: boolean }, tx };
  const localBus = new EventEmitter();
  const broker = { transit, localBus } as unknown as ServiceBroker;
  return { broker, transit, fail: (type?: string) => localBus.emit('$transporter.error', { type }) };
}

beforeEach(() => {
  close.mockReset().mockResolvedValue(undefined);
  connect.mockReset().mockResolvedValue(undefined);
  disconnect.mockReset().mockResolvedValue(undefined);
  destroy.mockClear();
});

describe('a transporter that lost its channel', () => {
  it('has its connection closed, so that it begins anew', () => {
    const { broker, fail } = fakeBroker();
    created(broker);
    fail('failedChannel');
    expect(close).toHaveBeenCalledTimes(1);
  });

  it.each(['failedConnection', 'failedDisconnection', undefined])('is not meant by the error %s', (type) => {
    const { broker, fail } = fakeBroker();
    created(broker);
    fail(type);
    expect(close).not.toHaveBeenCalled();
  });

  it('may have lost its connection as well', async () => {
    const { broker, fail } = fakeBroker(null);
    created(broker);
    expect(() => fail('failedChannel')).not.toThrow();
    close.mockRejectedValue(new Error('Connection closed'));
    const other = fakeBroker();
    created(other.broker);
    other.fail('failedChannel');
    await new Promise(setImmediate); // an unhandled rejection would end the test
    expect(close).toHaveBeenCalledTimes(1);
  });
});

describe('a transporter that gets a channel', () => {
  it('may lose it before its prefetch is set', async () => {
    const { broker, transit } = fakeBroker();
    created(broker);
    const prefetch = jest.fn(() => Promise.reject(new Error('Channel closed')));
    const tx = transit.tx as typeof transit.tx & { channel: { prefetch(count: number): Promise<void> } | null };
    tx.channel = { prefetch };
    void tx.channel.prefetch(100);
    await new Promise(setImmediate); // an unhandled rejection would end the test
    expect(prefetch).toHaveBeenCalledWith(100);
    tx.channel = null;
    expect(tx.channel).toBeNull();
  });
});

describe('a transporter with several hosts', () => {
  const refused = new Error('ECONNREFUSED');

  it('tries them all in one attempt, and closes what got no channel', async () => {
    const { broker, transit } = fakeBroker(fakeConnection(), ['amqp://one', 'amqp://two', 'amqp://three']);
    created(broker);
    connect.mockRejectedValueOnce(refused).mockRejectedValueOnce(refused);
    await transit.tx.connect();
    expect(connect).toHaveBeenCalledTimes(3);
    expect(close).toHaveBeenCalledTimes(2);
  });

  it('fails as the last one fails', async () => {
    const { broker, transit } = fakeBroker(null, ['amqp://one', 'amqp://two']);
    created(broker);
    connect.mockRejectedValue(refused);
    await expect(transit.tx.connect()).rejects.toBe(refused);
    expect(connect).toHaveBeenCalledTimes(2);
  });

  it('tries no other once the node was stopped', async () => {
    const { broker, transit } = fakeBroker(null, ['amqp://one', 'amqp://two']);
    created(broker);
    connect.mockImplementation(() => {
      stopped(broker);
      return Promise.reject(refused);
    });
    await expect(transit.tx.connect()).rejects.toBe(refused);
    expect(connect).toHaveBeenCalledTimes(1);
  });
});

describe('a transporter that takes leave', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('waits three seconds for a broker that is frozen, and frees the socket', async () => {
    const { broker, transit } = fakeBroker();
    created(broker);
    disconnect.mockReturnValue(new Promise<never>(() => undefined));
    const left = jest.fn();
    void transit.tx.disconnect().then(left);
    await jest.advanceTimersByTimeAsync(2999);
    expect(left).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(left).toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1000);
    expect(destroy).toHaveBeenCalled();
  });
});

describe('a node that starts', () => {
  const sendLocalNodeInfo = jest.fn(() => Promise.resolve());
  let connected: () => void;
  let failed: (error: Error) => void;
  let connect: () => Promise<void>;

  beforeEach(() => {
    jest.useFakeTimers();
    sendLocalNodeInfo.mockClear();
    const transit = {
      discoverer: { sendLocalNodeInfo },
      connect: () =>
        new Promise<void>((resolve, reject) => {
          connected = resolve;
          failed = reject;
        }),
    };
    starting({ transit } as unknown as ServiceBroker);
    connect = () => transit.connect();
  });
  afterEach(() => void jest.useRealTimers());

  it('waits for the mesh, which knows it by then', async () => {
    const started = jest.fn();
    const starts = connect().then(started);
    await jest.advanceTimersByTimeAsync(2999);
    expect(started).not.toHaveBeenCalled();
    connected();
    await starts;
    expect(sendLocalNodeInfo).not.toHaveBeenCalled();
  });

  it('goes on without the mesh after three seconds, and introduces itself once it is there', async () => {
    const starts = connect();
    await jest.advanceTimersByTimeAsync(3000);
    await starts;
    expect(sendLocalNodeInfo).not.toHaveBeenCalled();
    connected();
    await jest.advanceTimersByTimeAsync(0);
    expect(sendLocalNodeInfo).toHaveBeenCalledTimes(1);
  });

  it('fails as connecting fails, and after the grace not at all', async () => {
    const fails = expect(connect()).rejects.toThrow('no');
    failed(new Error('no'));
    await fails;
    const starts = connect();
    await jest.advanceTimersByTimeAsync(3000);
    await starts;
    failed(new Error('no'));
    await jest.advanceTimersByTimeAsync(0); // an unhandled rejection would end the test
    expect(sendLocalNodeInfo).not.toHaveBeenCalled();
  });
});

describe('a node that was stopped', () => {
  it('never connects again', async () => {
    const { broker, transit } = fakeBroker();
    stopped(broker);
    expect(transit.opts.disableReconnect).toBe(true);
    await expect(transit.tx.connect()).rejects.toThrow('stopped');
    expect(connect).not.toHaveBeenCalled();
  });
});

it.each([undefined, 'Fake'])(
  'finds what it mends in a real broker, or nothing to mend: transporter %s',
  async (transporter) => {
    const broker = new ServiceBroker({ logger: false, transporter, middlewares: [transporterGuard] });
    const { localBus, transit } = broker as unknown as {
      localBus: EventEmitter;
      transit?: { opts: object; tx: object };
    };
    expect(localBus.listenerCount('$transporter.error')).toBe(1);
    if (transporter) expect(transit?.tx).toHaveProperty('connect', expect.any(Function));
    await broker.stop();
    if (transporter) expect(transit?.opts).toMatchObject({ disableReconnect: true });
  },
);
