import { ServiceBroker } from 'moleculer';
import { isStopping, lastToStopHook, othersStopped } from '../../../lib/mesh/last-to-stop';

const brokerWith = (steps: string[]) => {
  const broker = new ServiceBroker({ logger: false, middlewares: [lastToStopHook] });
  broker.createService({
    name: 'last',
    async stopped() {
      await othersStopped(broker);
      steps.push('last');
    },
  });
  return broker;
};

describe('the service that stops last', () => {
  it('waits for all others', async () => {
    const steps: string[] = [];
    const broker = brokerWith(steps);
    for (const name of ['one', 'two']) {
      broker.createService({
        name,
        async stopped() {
          await new Promise(setImmediate);
          steps.push(name);
        },
      });
    }
    await broker.start();
    expect(isStopping(broker)).toBe(false);
    const stopped = broker.stop();
    await stopped;
    expect(steps).toEqual(['one', 'two', 'last']);
  });

  it('waits for nobody when it alone is unloaded', async () => {
    const steps: string[] = [];
    const broker = brokerWith(steps);
    broker.createService({ name: 'one' });
    await broker.start();
    await broker.destroyService('last');
    expect(steps).toEqual(['last']);
    await broker.stop();
  });

  it('goes on when another one fails to stop', async () => {
    const steps: string[] = [];
    const broker = brokerWith(steps);
    broker.createService({ name: 'one', stopped: () => Promise.reject(new Error('no')) });
    await broker.start();
    await broker.stop();
    await new Promise(setImmediate);
    expect(steps).toEqual(['last']);
  });
});
