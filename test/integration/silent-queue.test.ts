import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { declareQueue } from '../../lib/amqp/admin';
import type { Cluster } from '../../scripts/lib/broker/cluster';
import { startCluster } from '../../scripts/lib/broker/cluster';
import { eventually } from '../helpers/eventually';
import { MessageLine } from '../helpers/message-line';
import { testAmqp } from '../helpers/rabbitmq';

/** A broker of its own: what is suspended here would stop every other test. */
jest.setTimeout(120_000);

const ARGUMENTS = { 'x-queue-type': 'quorum' };
const TURN_MS = 50;

/** A queue for which RabbitMQ neither confirms nor nacks, as when all its copies are away. */
describe('a queue that does not answer', () => {
  let cluster: Cluster;
  let line: MessageLine;
  let dead: string;

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1 });
    line = await new MessageLine(testAmqp(cluster.amqp)).start();
    await line.flows();
  });

  beforeEach(async () => {
    dead = randomUUID();
    await declareQueue(line.admin, { name: dead, options: { durable: true, arguments: ARGUMENTS } });
    await put(5000);
  });

  afterAll(async () => {
    await line?.stop();
    await cluster?.stop();
  });

  const put = (deadlineMs: number) =>
    line.publisher.publish({ queue: dead, body: Buffer.from('{}'), messageId: randomUUID() }, deadlineMs);
  /** Its one server holds still, or goes on. */
  const leader = (what: 'suspend' | 'resume') => cluster.nodes[0]?.ctl('eval', `sys:${what}('%2F_${dead}').`);

  /** Sends to it and to another for so long. */
  async function sendToBoth(ms: number) {
    const silent: Promise<unknown>[] = [];
    const others: Promise<boolean>[] = [];
    for (const end = Date.now() + ms; Date.now() < end; await pause(TURN_MS)) {
      silent.push(put(1500).catch((error: unknown) => error));
      others.push(
        line.send(1500).then(
          () => true,
          () => false,
        ),
      );
    }
    return { others: await Promise.all(others), silent: await Promise.all(silent) };
  }

  it('costs no other queue anything, and takes messages once it answers again', async () => {
    await leader('suspend');
    const { others, silent } = await sendToBoth(20_000);
    expect(others).not.toContain(false);
    for (const outcome of silent) expect(outcome).toMatchObject({ code: 'BROKER_UNAVAILABLE', retryable: true });
    expect(silent.map(String).filter((text) => text.includes('does not answer')).length).toBeGreaterThan(100);
    expect(line.warnings).toEqual([]);
    await leader('resume');
    await eventually(() => put(1500));
    await line.nothingLost();
    expect([...line.received.values()].filter((times) => times > 1)).toEqual([]);
  });

  it('was sent too much in that moment: RabbitMQ reads the connection no more, and gets another one', async () => {
    await leader('suspend');
    const lost = new Promise<void>((resolve) => line.publishing.once('close', resolve));
    const burst = Promise.allSettled(Array.from({ length: 600 }, () => put(1500)));
    let isOver = false;
    const sending = (async () => {
      while (!isOver) await line.send(1500).catch(() => undefined);
    })();
    await lost;
    isOver = true;
    await Promise.all([burst, sending]);
    await eventually(() => line.send(1500), { timeoutMs: 20_000 });
    const { others } = await sendToBoth(5000); // to the queue that is known by now
    expect(others).not.toContain(false);
    await leader('resume');
    await eventually(() => put(1500));
    await line.nothingLost();
  });
});
