import { EventEmitter } from 'node:events';
import type { AmqpConnection } from '../../../lib/amqp/connection';
import { HoldingChannel } from '../../../lib/amqp/holding-channel';

const never = new Promise<never>(() => undefined);

/** A connection with one channel, on which the broker leaves one question without an answer. */
function muteAt(question: 'prefetch' | 'consume') {
  const close = jest.fn(() => Promise.resolve());
  const answers = { prefetch: () => Promise.resolve(), consume: () => Promise.resolve({ consumerTag: 'tag' }) };
  const channel = Object.assign(new EventEmitter(), { ...answers, [question]: () => never, close });
  return { close, connection: { channel: () => Promise.resolve(channel) } as unknown as AmqpConnection };
}

describe('a channel that holds what a queue gives', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it.each(['prefetch', 'consume'] as const)('is given up when nobody answers its %s', async (question) => {
    const { connection, close } = muteAt(question);
    const opening = HoldingChannel.open(connection, 'q', 1).then(
      () => 'open',
      (error: unknown) => error,
    );
    await jest.advanceTimersByTimeAsync(20_000);
    await expect(Promise.race([opening, Promise.resolve('still waiting')])).resolves.toMatchObject({
      code: 'TIMEOUT',
      retryable: true,
    });
    expect(close).toHaveBeenCalled();
  });
});
