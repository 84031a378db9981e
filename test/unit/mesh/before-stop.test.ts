import { ServiceBroker } from 'moleculer';
import { beforeStop, beforeStopHook } from '../../../lib/mesh/before-stop';

it('work that was to be done before the stop is awaited before any service stops, even where some of it fails', async () => {
  const steps: string[] = [];
  const broker = new ServiceBroker({ logger: false, middlewares: [beforeStopHook] });
  broker.createService({ name: 'one', stopped: () => void steps.push('service stopped') });
  await broker.start();
  beforeStop(broker, () => Promise.reject(new Error('no')));
  beforeStop(broker, async () => {
    await new Promise(setImmediate);
    steps.push('work done');
  });
  await broker.stop();
  expect(steps).toEqual(['work done', 'service stopped']);
});

it('a broker without such work stops', async () => {
  const broker = new ServiceBroker({ logger: false, middlewares: [beforeStopHook] });
  await broker.start();
  await expect(broker.stop()).resolves.not.toThrow();
});

it('a broker does not wait at its stop for calls of its own that Moleculer has forgotten to take off its list', async () => {
  const broker = new ServiceBroker({ logger: false, tracking: { enabled: true }, middlewares: [beforeStopHook] });
  await broker.start();
  (broker as unknown as { _trackedContexts: object[] })._trackedContexts.push({});
  const started = Date.now();
  await broker.stop();
  expect(Date.now() - started).toBeLessThan(4000); // of the 5 s that it would wait
});
