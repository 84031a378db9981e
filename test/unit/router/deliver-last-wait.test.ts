import { longestDeliveryMs } from '../../../lib/router/deliver';
import { delivery, failed, OK, setUp } from './delivery';

type Fixture = ReturnType<typeof setUp>;
let { publisher, sendings, settled, start } = {} as Fixture;

/** All tries of 2 s, and pauses of 1, 2, 4, 8, 16, 30, 30, 30, 30 s. */
const LONGEST_MS = 171_000;

beforeEach(() => {
  jest.useFakeTimers();
  jest.spyOn(Math, 'random').mockReturnValue(0); // the shortest wait of each back-off
  ({ publisher, sendings, settled, start } = setUp());
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

describe('the wait after the last try', () => {
  it('is as long as if all pauses had been the longest', async () => {
    expect(longestDeliveryMs(delivery)).toBe(LONGEST_MS);
    void start();
    await pass(LONGEST_MS - 1);
    expect(sendings).toHaveLength(10);
    expect(settled).not.toHaveBeenCalled();
    await pass(1);
    expect(publisher.confirmed[0]?.headers).toMatchObject({ 'x-dmr-reason': 'NO_ACK', 'x-dmr-tries': 10 });
    expect(settled).toHaveBeenCalledWith('ack');
  });

  it('lets an agent answer that tried its chatbot for 150 s', async () => {
    void start();
    await pass(150_000);
    expect(sendings).toHaveLength(10);
    sendings[0]!.answer(OK);
    await pass(0);
    expect(settled).toHaveBeenCalledWith('ack');
    expect(publisher.attempts).toEqual([]);
  });

  it('ends with an answer, whatever it says', async () => {
    void start();
    await pass(150_000);
    sendings[9]!.answer(failed('DELIVERY_FAILED'));
    await pass(0);
    expect(publisher.confirmed[0]?.headers).toMatchObject({ 'x-dmr-reason': 'DELIVERY_FAILED', 'x-dmr-tries': 10 });
  });
});

it('a failure that the agent calls final is a dead letter at once', async () => {
  void start();
  sendings[0]!.answer({ status: 'error', errors: [{ type: 'DELIVERY_FAILED', message: '', final: true }] });
  await pass(0);
  expect(publisher.confirmed[0]?.headers).toMatchObject({ 'x-dmr-reason': 'CHATBOT_REFUSED', 'x-dmr-tries': 1 });
  expect(settled).toHaveBeenCalledWith('ack');
});
