import { SilentQueues, type Sent } from '../../../lib/amqp/silent-queues';

describe('SilentQueues', () => {
  let now: number;
  let queues: SilentQueues;

  beforeEach(() => {
    now = 100_000;
    queues = new SilentQueues(() => now);
  });

  /** Sends so many; each with its number, as it is told when it is answered. */
  const send = (count: number, queue = 'one') =>
    Array.from({ length: count }, () => {
      const sent = queues.sent(queue);
      return { queue, sent, number: sent.count };
    });
  const answer = ({ queue, sent, number }: { queue: string; sent: Sent; number: number }) =>
    queues.answered(queue, sent, number);
  const answerAnother = () => send(1, 'another').forEach(answer);

  it('holds what left sixteen messages unanswered, once that has lasted', () => {
    send(600);
    expect(queues.holds('one')).toBe(false);
    now += 249;
    expect(queues.holds('one')).toBe(false);
    now += 1;
    expect(queues.holds('one')).toBe(true);
    expect(queues.holds('another')).toBe(false);
  });

  it('holds nothing of which less is unanswered, nor what answers now and then', () => {
    const messages = send(300);
    for (let i = 0; i < 285; i++) {
      now += 200;
      answer(messages[i] as (typeof messages)[0]);
      expect(queues.holds('one')).toBe(false);
    }
    now += 10_000;
    expect(queues.holds('one')).toBe(false);
  });

  it('says that it is the queue, when others were answered two seconds later', () => {
    send(16);
    now += 2000;
    expect(queues.holds('one')).toBe(true);
    expect(queues.has('one')).toBe(false);
    answerAnother();
    expect(queues.has('one')).toBe(true);
  });

  it('lets it go with its first answer', () => {
    const [first] = send(16);
    now += 2000;
    expect(queues.holds('one')).toBe(true);
    if (first) answer(first);
    expect(queues.holds('one')).toBe(false);
    expect(queues.has('one')).toBe(false);
  });

  it('holds it beyond the loss of the channel, and forgets what was lost of others', () => {
    const [silent, other] = [send(16), send(15, 'other')];
    now += 250;
    for (const { queue, sent, number } of [...silent, ...other]) queues.lost(queue, sent, number);
    expect(queues.holds('one')).toBe(true);
    send(15, 'other');
    now += 250;
    expect(queues.holds('other')).toBe(false);
  });

  it('has it probed by one message at a time, once a second', () => {
    send(16);
    now += 250;
    queues.holds('one');
    expect(queues.mayProbe('one')).toBe(true);
    now += 1000;
    expect(queues.mayProbe('one')).toBe(false);
    queues.probed('one');
    expect(queues.mayProbe('one')).toBe(true);
    queues.probed('one');
    now += 999;
    expect(queues.mayProbe('one')).toBe(false);
  });

  it('has at most twenty probed at a time', () => {
    const names = Array.from({ length: 21 }, (_, index) => `queue ${index}`);
    for (const name of names) send(16, name);
    now += 250;
    for (const name of names) queues.holds(name);
    expect(names.filter((name) => queues.mayProbe(name))).toEqual(names.slice(0, 20));
    queues.probed('queue 0');
    expect(queues.mayProbe('queue 20')).toBe(true);
  });
});
