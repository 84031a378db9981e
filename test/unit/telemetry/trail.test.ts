import { Trail } from '../../../lib/telemetry/trail';

describe('the trail of messages', () => {
  it('remembers what happened, and between whom', () => {
    const trail = new Trail(10);
    trail.note('a', { event: 'accepted' }, { senderId: 'tax', recipientId: 'police' });
    trail.note('a', { event: 'sent', tries: 1 }, { recipientId: 'another' });
    expect(trail.of('a')).toMatchObject({
      senderId: 'tax',
      recipientId: 'police',
      entries: [{ event: 'accepted' }, { event: 'sent', tries: 1 }],
    });
    expect(trail.of('b')).toBeUndefined();
  });

  it('lets nobody tell of a message that another has sent', () => {
    const trail = new Trail(10);
    trail.note('a', { event: 'delivered' }, { senderId: 'tax', recipientId: 'police' });
    trail.note('a', { event: 'refused' }, { senderId: 'mallory' });
    expect(trail.of('a')?.entries).toMatchObject([{ event: 'delivered' }]);
  });

  it('forgets the message that it has not heard of for longest', () => {
    const trail = new Trail(2);
    for (const id of ['a', 'b', 'a', 'c']) trail.note(id, { event: 'sent' });
    expect(['a', 'b', 'c'].map((id) => trail.of(id)?.entries.length)).toEqual([2, undefined, 1]);
  });

  it('keeps the beginning and the latest of a message to which much happens', () => {
    const trail = new Trail(1);
    for (let tries = 1; tries <= 1000; tries++) trail.note('a', { event: 'sent', tries });
    const tries = trail.of('a')?.entries.map((entry) => entry.tries) ?? [];
    expect(tries).toHaveLength(24);
    expect(tries.slice(0, 5)).toEqual([1, 2, 3, 4, 981]);
    expect(tries.at(-1)).toBe(1000);
  });

  it('remembers nothing of size 0, and no message without an id', () => {
    const none = new Trail(0);
    none.note('a', { event: 'sent' });
    expect(none.of('a')).toBeUndefined();
    const trail = new Trail(1);
    trail.note('', { event: 'sent' });
    expect(trail.of('')).toBeUndefined();
  });
});
