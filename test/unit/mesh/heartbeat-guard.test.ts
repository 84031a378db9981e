import { ServiceBroker } from 'moleculer';
import { heartbeatGuard } from '../../../lib/mesh/heartbeat-guard';

it('a heartbeat that cannot be sent ends no process', async () => {
  const broker = new ServiceBroker({ logger: false, middlewares: [heartbeatGuard] });
  const { discoverer } = (
    broker as unknown as {
      registry: { discoverer: { beat(): Promise<unknown>; sendHeartbeat(): Promise<unknown> } };
    }
  ).registry;
  const send = jest.spyOn(discoverer, 'sendHeartbeat').mockRejectedValue(new Error('Channel closing'));
  await expect(discoverer.beat()).resolves.toBeUndefined();
  expect(send).toHaveBeenCalledTimes(1);
});
