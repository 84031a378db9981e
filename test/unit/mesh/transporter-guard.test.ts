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

/** As much of a broker as the guard touches. */
function fakeBroker(connection: object | null = { close }) {
  const transit = { opts: {} as { disableReconnect?: boolean }, tx: { connection, connect } };
  const localBus = new EventEmitter();
  const broker = { transit, localBus } as unknown as ServiceBroker;
  return { broker, transit, fail: (type?: string) => localBus.emit('$transporter.error', { type }) };
}

beforeEach(() => {
  close.mockReset().mockResolvedValue(undefined);
  connect.mockClear();
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
