import { EventEmitter } from 'node:events';
import { closing } from '../../../lib/amqp/closing';

class FakeChannel extends EventEmitter {
  constructor(readonly close: () => Promise<void>) {
    super();
  }
}

const never = () => new Promise<never>(() => undefined);

describe('closing', () => {
  it('is over when the broker has answered', async () => {
    const close = jest.fn(() => Promise.resolve());
    await closing(new FakeChannel(close));
    expect(close).toHaveBeenCalledTimes(1);
  });

  it('is over when the connection is lost before the broker could answer', async () => {
    const channel = new FakeChannel(never);
    const closed = closing(channel);
    channel.emit('close');
    await closed;
  });

  it('is over at once for what is closed already', async () => {
    await closing(new FakeChannel(() => Promise.reject(new Error('Channel closed'))));
  });

  it('is over after three seconds when the broker is frozen', async () => {
    jest.useFakeTimers();
    const over = jest.fn();
    void closing(new FakeChannel(never)).then(over);
    await jest.advanceTimersByTimeAsync(2999);
    expect(over).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(over).toHaveBeenCalled();
    jest.useRealTimers();
  });

  it('is not over before any of that', async () => {
    const over = jest.fn();
    void closing(new FakeChannel(never)).then(over);
    // All that could happen by itself happens in this turn.
    await new Promise(setImmediate);
    expect(over).not.toHaveBeenCalled();
  });
});
