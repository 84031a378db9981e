import { watchGaps } from '../../../lib/mesh/gaps';

afterEach(() => jest.useRealTimers());

it('a process notices that it stood still, and nothing else', () => {
  jest.useFakeTimers();
  const wokeUp = jest.fn();
  const timer = watchGaps(wokeUp);
  jest.advanceTimersByTime(60_000);
  expect(wokeUp).not.toHaveBeenCalled();
  const now = performance.now();
  const clock = jest.spyOn(performance, 'now').mockReturnValue(now + 5000);
  jest.advanceTimersByTime(500);
  expect(wokeUp).toHaveBeenCalledTimes(1);
  jest.advanceTimersByTime(500);
  expect(wokeUp).toHaveBeenCalledTimes(1);
  clock.mockRestore();
  clearInterval(timer);
});
