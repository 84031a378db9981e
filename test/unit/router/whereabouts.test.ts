import type { ServiceBroker } from 'moleculer';
import { dlqName, VALIDATION_FAILURES } from '../../../lib/amqp/topology';
import { RetryableError } from '../../../lib/errors';
import type { NodeRouter } from '../../../lib/router/node-router';
import { whereabouts } from '../../../lib/router/whereabouts';

const AGENT = '3f1a5c1e-6f0e-4c0b-9d0f-0a1b2c3d4e01';

it('a search says which queues it could not look into, as they were in the hands of somebody else', async () => {
  const find = jest.fn(() => Promise.reject(new RetryableError('QUEUE_BUSY', 'busy')));
  const looks = { [dlqName(AGENT)]: { ready: 0, consumers: 1 }, [VALIDATION_FAILURES]: { ready: 0, consumers: 0 } };
  const look = (queue: string) => Promise.resolve(looks[queue]);
  const depth = (queue: string) => Promise.resolve(looks[queue]?.ready);
  const router = { directory: { list: () => [{ id: AGENT }] }, departed: [], look, depth, deadLetters: { find } };
  const broker = { registry: { getNodeList: () => [] } };
  const found = await whereabouts(broker as unknown as ServiceBroker, router as unknown as NodeRouter, 1000, {
    id: 'a',
    search: true,
  });
  expect(found).toMatchObject({ state: 'unknown', searched: [], notSearched: [`${dlqName(AGENT)} (busy)`] });
  expect(find).toHaveBeenCalledTimes(1);
});
