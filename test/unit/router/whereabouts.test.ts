import type { ServiceBroker } from 'moleculer';
import { dlqName, VALIDATION_FAILURES } from '../../../lib/amqp/topology';
import { RetryableError } from '../../../lib/errors';
import type { NodeRouter } from '../../../lib/router/node-router';
import { whereabouts, type MessageState, type NodeMemory } from '../../../lib/router/whereabouts';
import type { TrailEvent } from '../../../lib/telemetry/trail';

const AGENT = '3f1a5c1e-6f0e-4c0b-9d0f-0a1b2c3d4e01';

const brokerOf = (nodes: Record<string, NodeMemory>) => {
  const nodeList = Object.keys(nodes).map((id) => ({ id, available: true, services: [{ name: 'router' }] }));
  const call = (_action: string, _params: object, { nodeID }: { nodeID: string }) => Promise.resolve(nodes[nodeID]);
  return { registry: { getNodeList: () => nodeList }, call } as unknown as ServiceBroker;
};

it('a search says which queues it could not look into, as they were in the hands of somebody else', async () => {
  const busy = new RetryableError('QUEUE_BUSY', 'busy');
  const find = jest.fn((queue: string) =>
    queue === VALIDATION_FAILURES ? Promise.resolve({ complete: true }) : Promise.reject(busy),
  );
  const looks = { [dlqName(AGENT)]: { ready: 0, consumers: 1 }, [VALIDATION_FAILURES]: { ready: 1, consumers: 0 } };
  const look = (queue: string) => Promise.resolve(looks[queue]);
  const router = { directory: { list: () => [{ id: AGENT }] }, departed: [], look, deadLetters: { find } };
  const found = await whereabouts(brokerOf({}), router as unknown as NodeRouter, 1000, { id: 'a', search: true });
  const queues = { searched: [VALIDATION_FAILURES], notSearched: [`${dlqName(AGENT)} (busy)`] };
  expect(found).toMatchObject({ state: 'unknown', ...queues });
});

describe('a message is where its delivery has brought it', () => {
  const at = Date.now();
  const state = async (...events: TrailEvent[]) => {
    const trail = { senderId: 's', recipientId: AGENT, entries: events.map((event, i) => ({ at: at + i, event })) };
    const router = {} as NodeRouter;
    return (await whereabouts(brokerOf({ one: { trail, inFlightTo: null } }), router, 60_000, { id: 'a' })).state;
  };

  it.each<[string, TrailEvent[], MessageState]>([
    ['confirmed', ['accepted'], 'waiting'],
    ['delivered before the confirm', ['sent', 'delivered', 'accepted'], 'delivered'],
    ['delivered before the confirm was given up', ['sent', 'delivered', 'unavailable'], 'delivered'],
    ['sent before the confirm', ['sent', 'accepted'], 'waiting'],
    ['not confirmed', ['unavailable'], 'refused'],
    ['refused at first, and accepted when its sender repeated it', ['refused', 'accepted'], 'waiting'],
    ['delivered, and sent once more by its sender', ['accepted', 'sent', 'delivered', 'accepted'], 'waiting'],
  ])('%s', async (_what, events, expected) => {
    expect(await state(...events)).toBe(expected);
  });
});
