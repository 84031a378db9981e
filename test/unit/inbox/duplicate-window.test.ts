import { DuplicateWindow } from '../../../lib/inbox/duplicate-window';

const SPAN_MS = 1000;

describe('DuplicateWindow', () => {
  let window: DuplicateWindow;

  beforeEach(() => {
    jest.useFakeTimers();
    window = new DuplicateWindow(SPAN_MS, 3);
  });
  afterEach(() => void jest.useRealTimers());

  const remembered = () => ['a', 'b', 'c', 'd'].filter((key) => window.has(key)).join('');

  it('knows what was added and nothing else', () => {
    expect(window.has('a')).toBe(false);
    window.add('a');
    expect(window.has('a')).toBe(true);
    expect(window.has('b')).toBe(false);
  });

  it('remembers for the whole span and not longer', () => {
    window.add('a');
    jest.advanceTimersByTime(SPAN_MS - 1);
    expect(window.has('a')).toBe(true);
    jest.advanceTimersByTime(1);
    expect(window.has('a')).toBe(false);
  });

  it('counts the span anew for what is delivered again', () => {
    window.add('a');
    jest.advanceTimersByTime(SPAN_MS - 1);
    window.add('a');
    jest.advanceTimersByTime(SPAN_MS - 1);
    expect(window.has('a')).toBe(true);
  });

  it('forgets the oldest first when there are too many', () => {
    for (const key of 'abcd') window.add(key);
    expect(remembered()).toBe('bcd');
  });

  it('does not take what is delivered again for the oldest', () => {
    for (const key of 'abcad') window.add(key);
    expect(remembered()).toBe('acd');
  });

  it('does not count one key twice', () => {
    for (const key of 'abcccc') window.add(key);
    expect(remembered()).toBe('abc');
  });

  it('gives the memory of what expired free', () => {
    const kept = window as unknown as { deliveredAt: Map<string, number> };
    window.add('a');
    window.add('b');
    jest.advanceTimersByTime(SPAN_MS);
    window.add('c');
    expect([...kept.deliveredAt.keys()]).toEqual(['c']);
  });

  it('remembers nothing with no room', () => {
    const none = new DuplicateWindow(SPAN_MS, 0);
    none.add('a');
    expect(none.has('a')).toBe(false);
  });
});
