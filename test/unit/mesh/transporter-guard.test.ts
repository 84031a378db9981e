import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { ServiceBroker } from 'moleculer';
import { transporterGuard } from '../../../lib/mesh/transporter-guard';

type Hook = (broker: ServiceBroker) => void;
const created = transporterGuard.created as Hook;
const stopped = transporterGuard.stopped as Hook;

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
    await setImmediate(); // an unhandled rejection would end the test
    expect(close).toHaveBeenCalledTimes(1);
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

it('minds no broker without a transporter', async () => {
  const broker = new ServiceBroker({ logger: false, middlewares: [transporterGuard] });
  await broker.start();
  await broker.stop();
});

it('finds what it mends in a real broker', async () => {
  const broker = new ServiceBroker({ logger: false, transporter: 'Fake', middlewares: [transporterGuard] });
  const parts = broker as unknown as { transit: { opts: object; tx: { connect(): unknown } }; localBus: EventEmitter };
  expect(parts.localBus.listenerCount('$transporter.error')).toBeGreaterThan(0);
  expect(typeof parts.transit.tx.connect).toBe('function');
  await broker.start();
  await broker.stop();
  expect(parts.transit.opts).toMatchObject({ disableReconnect: true });
});
