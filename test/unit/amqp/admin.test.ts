import { EventEmitter } from 'node:events';
import { deleteEmptyQueue } from '../../../lib/amqp/admin';
import type { AmqpConnection } from '../../../lib/amqp/connection';

/** A connection whose broker has one queue, or none and says so with 404. */
function brokerWith(queue?: { messageCount: number; consumerCount: number }) {
  const deleteQueue = jest.fn(() => Promise.resolve({ messageCount: 2 }));
  const missing = Object.assign(new Error('no queue'), { code: 404 });
  const checkQueue = () => (queue ? Promise.resolve(queue) : Promise.reject(missing));
  const channel = Object.assign(new EventEmitter(), { checkQueue, deleteQueue, close: () => Promise.resolve() });
  return { deleteQueue, connection: { channel: () => Promise.resolve(channel) } as unknown as AmqpConnection };
}

describe('deleteEmptyQueue', () => {
  it('deletes what is empty and unused, and tells what went with it all the same', async () => {
    const { connection, deleteQueue } = brokerWith({ messageCount: 0, consumerCount: 0 });
    await expect(deleteEmptyQueue(connection, 'q')).resolves.toEqual({ gone: true, lost: 2 });
    expect(deleteQueue).toHaveBeenCalledWith('q');
  });

  it.each([
    ['holds a message', { messageCount: 1, consumerCount: 0 }, true],
    ['is consumed', { messageCount: 0, consumerCount: 1 }, true],
    ['belongs to somebody again', { messageCount: 0, consumerCount: 0 }, false],
  ])('leaves a queue that %s', async (_what, queue, isUnused) => {
    const { connection, deleteQueue } = brokerWith(queue);
    await expect(deleteEmptyQueue(connection, 'q', () => isUnused)).resolves.toEqual({ gone: false, lost: 0 });
    expect(deleteQueue).not.toHaveBeenCalled();
  });

  it('has nothing to do where there is none', async () => {
    await expect(deleteEmptyQueue(brokerWith().connection, 'q')).resolves.toEqual({ gone: true, lost: 0 });
  });
});
