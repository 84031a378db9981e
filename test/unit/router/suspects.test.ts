import { Lifetime } from '../../../lib/amqp/lifetime';
import type { Outcome } from '../../../lib/router/deliver';
import { Suspects } from '../../../lib/router/suspects';

const WAIT_MS = 40;
const delivered: Outcome = { kind: 'delivered' };

let suspects: Suspects;
let consumer: Lifetime;
let sent: string[];

beforeEach(() => {
  suspects = new Suspects(WAIT_MS);
  consumer = new Lifetime();
  sent = [];
});

/** Hands over a message that is answered when the test says so. */
function pass(name: string, returns: number) {
  let answer: () => void = () => undefined;
  const answered = new Promise<Outcome>((resolve) => (answer = () => resolve(delivered)));
  const handOver = () => {
    sent.push(name);
    return answered;
  };
  return { outcome: suspects.pass(returns, handOver, consumer), answer };
}

describe('messages that came back', () => {
  it('go down side by side at first', () => {
    pass('one', 0);
    pass('two', 7);
    expect(sent).toEqual(['one', 'two']);
  });

  it('go down one after the other from the 8th return on', async () => {
    const one = pass('one', 8);
    const two = pass('two', 8);
    await new Promise(setImmediate);
    expect(sent).toEqual(['one']);
    one.answer();
    await one.outcome;
    await new Promise(setImmediate);
    expect(sent).toEqual(['one', 'two']);
    two.answer();
    expect(await two.outcome).toEqual(delivered);
  });

  it('are not overtaken by what is behind them, which then goes down side by side', async () => {
    const one = pass('one', 8);
    const others = [pass('two', 0), pass('three', 0), pass('four', 8), pass('five', 1)];
    await new Promise(setImmediate);
    expect(sent).toEqual(['one']);
    one.answer();
    await one.outcome;
    await new Promise(setImmediate);
    expect(sent).toEqual(['one', 'two', 'three', 'four']);
    for (const { answer } of others) answer();
    await Promise.all(others.map(({ outcome }) => outcome));
    expect(sent).toEqual(['one', 'two', 'three', 'four', 'five']);
    pass('six', 0);
    expect(sent.at(-1)).toBe('six');
  });

  it('do not wait for long for one that is not answered', async () => {
    const one = pass('one', 8);
    const two = pass('two', 8);
    two.answer();
    expect(await two.outcome).toEqual(delivered);
    expect(sent).toEqual(['one', 'two']);
    one.answer();
    expect(await one.outcome).toEqual(delivered);
  });

  it('are given up from the 16th on, but only the first of them: the others were on its channel', async () => {
    const [one, two] = [pass('one', 16), pass('two', 16)];
    two.answer();
    expect(await one.outcome).toEqual({ kind: 'dead', reason: 'SOCKET_LOST', tries: 16 });
    expect(await two.outcome).toEqual(delivered);
    expect(sent).toEqual(['two']);
  });

  it('are neither sent nor given up once their channel is gone', async () => {
    const one = pass('one', 8);
    const two = pass('two', 16);
    consumer.end();
    one.answer();
    expect(await two.outcome).toEqual({ kind: 'released' });
    expect(sent).toEqual([]);
  });
});
