import { setImmediate } from 'node:timers/promises';
import type { QueueDefinition } from '../../../lib/amqp/topology';
import { RetryableError } from '../../../lib/errors';
import { declareEach } from '../../../lib/router/declare-each';

const queuesNamed = (...names: string[]) => names.map((name): QueueDefinition[] => [{ name, options: {} }]);

/** Refuses these queues and writes down which were asked for. */
function brokerThatRefuses(...bad: string[]) {
  const asked: string[] = [];
  const declare = ({ name }: QueueDefinition) => {
    asked.push(name);
    return bad.includes(name) ? Promise.reject(new Error(`405 for ${name}`)) : Promise.resolve();
  };
  return { asked, declare };
}

describe('many queues', () => {
  it('are all declared although some cannot be, and each of those is named', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `q${index}`);
    const { asked, declare } = brokerThatRefuses('q0', 'q17');
    await expect(declareEach(queuesNamed(...names), declare)).rejects.toMatchObject({
      code: 'QUEUES_NOT_DECLARED',
      retryable: true,
      message: '2 of 30 queues could not be declared: q0: 405 for q0; q17: 405 for q17',
    });
    expect(asked).toEqual(names);
  });

  it('are declared one after the other within a group, although the first cannot be', async () => {
    const { asked, declare } = brokerThatRefuses('a.dlq');
    const started: string[] = [];
    const slowly = async (queue: QueueDefinition) => {
      started.push(queue.name);
      await setImmediate();
      await declare(queue);
    };
    const pair = (id: string) => queuesNamed(`${id}.dlq`, id).flat();
    await expect(declareEach([pair('a'), pair('b')], slowly)).rejects.toThrow(/^1 of 4 .*: a\.dlq: 405 for a\.dlq$/);
    expect(started).toEqual(['a.dlq', 'b.dlq', 'a', 'b']);
    expect(asked).toEqual(started);
  });

  it('are not all named in one line', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `q${index}`);
    const { declare } = brokerThatRefuses(...names);
    await expect(declareEach(queuesNamed(...names), declare)).rejects.toThrow(/q19: 405 for q19; and 10 more$/);
  });

  it('wait for the next connection when this one is lost', async () => {
    const away = new RetryableError('BROKER_UNAVAILABLE', 'No connection');
    const declare = jest.fn(() => Promise.reject(away));
    await expect(declareEach(queuesNamed(...'abcdefghijklmnop'), declare)).rejects.toBe(away);
    expect(declare).toHaveBeenCalledTimes(8);
  });
});
