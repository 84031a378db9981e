import { EventEmitter } from 'node:events';
import { deleteEmptyQueue } from '../../../lib/amqp/delete-empty';
import { AmqpConnection } from '../../../lib/amqp/connection';

/** A connection whose broker has one queue, or none and says so with 404. `get` is what the queue itself answers. */
function brokerWith(queue?: { messageCount: number; consumerCount: number }, get: () => unknown = () => false) {
  const deleteQueue = jest.fn((_queue: string) => Promise.resolve({ messageCount: 2 }));
  const missing = Object.assign(new Error('no queue'), { code: 404 });
  const checkQueue = () => (queue ? Promise.resolve(queue) : Promise.reject(missing));
  const close = () => Promise.resolve();
  const assertQueue = () => Promise.resolve();
  const releaseLock = (name: string) => (name === 'q' ? deleteQueue(name) : Promise.resolve());
  const open = () =>
    Promise.resolve(
      Object.assign(new EventEmitter(), { checkQueue, assertQueue, deleteQueue: releaseLock, get: ask, close }),
    );
  const ask = async () => Promise.resolve(get());
  const stream = { destroy: () => undefined };
  const model = Object.assign(new EventEmitter(), { createChannel: open, close, connection: { stream } });
  const another = jest.fn(() => Promise.resolve(model));
  const connection = Object.assign(Object.create(AmqpConnection.prototype) as AmqpConnection, {
    channel: open,
    another,
  });
  return { deleteQueue, another, connection };
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

  it.each([
    ['has a message to give', () => ({ content: Buffer.alloc(0) })],
    ['has no leader, which ends the connection of the question', () => Promise.reject(new Error('Channel ended'))],
  ])('leaves a queue that seems empty and %s', async (_what, get) => {
    const { connection, deleteQueue } = brokerWith({ messageCount: 0, consumerCount: 0 }, get);
    await expect(deleteEmptyQueue(connection, 'q')).rejects.toMatchObject({ code: 'QUEUE_UNSURE', retryable: true });
    expect(deleteQueue).not.toHaveBeenCalled();
  });

  it('leaves one that does not answer', async () => {
    jest.useFakeTimers();
    const { connection, deleteQueue } = brokerWith({ messageCount: 0, consumerCount: 0 }, () => new Promise(() => {}));
    const refused = expect(deleteEmptyQueue(connection, 'q')).rejects.toMatchObject({ code: 'TIMEOUT' });
    await jest.advanceTimersByTimeAsync(5000);
    await refused;
    expect(deleteQueue).not.toHaveBeenCalled();
    jest.useRealTimers();
  });

  it('leaves one in which somebody has messages in hand, as a second look shows', async () => {
    const queue = { messageCount: 0, consumerCount: 0 };
    const { connection, deleteQueue } = brokerWith(queue, () => {
      queue.consumerCount = 1;
      return false;
    });
    await expect(deleteEmptyQueue(connection, 'q')).rejects.toMatchObject({ code: 'QUEUE_UNSURE' });
    expect(deleteQueue).not.toHaveBeenCalled();
  });

  it('takes no message out of a queue that is not empty to see whether it is', async () => {
    const { connection, another } = brokerWith({ messageCount: 1, consumerCount: 0 });
    await deleteEmptyQueue(connection, 'q');
    expect(another).not.toHaveBeenCalled();
  });

  it('has nothing to do where there is none', async () => {
    await expect(deleteEmptyQueue(brokerWith().connection, 'q')).resolves.toEqual({ gone: true, lost: 0 });
  });
});
