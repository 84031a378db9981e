import { randomUUID } from 'node:crypto';
import { backoffMs } from '../../../lib/amqp/backoff';
import { RetryableError } from '../../../lib/errors';
import { Gate } from '../../../lib/gate';
import { Outbox } from '../../../lib/outbox/outbox';
import { SentMemory } from '../../../lib/outbox/sent-memory';
import type { Envelope } from '../../../lib/protocol/envelope';
import type { ServerAck } from '../../../lib/protocol/events';
import { AgentStore } from '../../../lib/store/agent-store';
import { noTracing } from '../../../lib/telemetry/tracing';
import { UplinkLostError } from '../../../lib/uplink/uplink-lost';
import { eventually } from '../../helpers/eventually';
import { temporaryFolder } from '../../helpers/temporary-folder';
import { countingMetrics, RecordingLog } from '../fakes';

jest.mock('../../../lib/amqp/backoff', () => ({ backoffMs: jest.fn(() => 1) }));

const FAST = { everyMs: 2 };
const OK: ServerAck = { status: 'ok' };
const [alone, among] = [new UplinkLostError(true), new UplinkLostError(false)];
const down = new RetryableError('UPLINK_DOWN', 'down');
const silence = new RetryableError('NO_ANSWER', 'silence');

let store: AgentStore;
let sent: SentMemory;
let outbox: Outbox;
let counted: Record<string, number>;
let transmitted: string[];
let answer: (id: string, tries: number) => Promise<ServerAck>;

beforeEach(async () => {
  jest.mocked(backoffMs).mockClear();
  store = await AgentStore.open(temporaryFolder(), randomUUID());
  sent = new SentMemory(store, new RecordingLog());
  transmitted = [];
  const counting = countingMetrics();
  counted = counting.counted;
  const uplink = new Gate();
  uplink.letThrough();
  const transmit = ({ id }: Envelope) => {
    transmitted.push(id);
    return answer(id, transmitted.filter((other) => other === id).length);
  };
  const limits = { maxMessages: 100, maxAgeMs: 60_000, tracing: noTracing, log: new RecordingLog() };
  outbox = new Outbox({ store, sent, transmit, uplink, ...limits, metrics: counting.metrics });
});
afterEach(async () => {
  outbox.stop();
  await store.close();
});

/** Each to a recipient of its own, unless it says which. */
const add = (id: string, recipientId = id) =>
  outbox.add(() => Promise.resolve({ id, recipientId, payload: 'sealed' } as Envelope), `digest of ${id}`);
const allSettled = () => eventually(() => outbox.waiting === 0, FAST);

describe('a message that the connection is lost with', () => {
  it('has failed after eight times in a row alone, with growing pauses, and keeps nobody', async () => {
    answer = (id) => (id === 'bad' ? Promise.reject(alone) : Promise.resolve(OK));
    await Promise.all([add('bad'), add('behind', 'bad'), add('other')]);
    await allSettled();
    expect(transmitted.filter((id) => id === 'bad')).toHaveLength(8);
    expect(['bad', 'behind', 'other'].map((id) => sent.get(id)?.state)).toEqual(['failed', 'sent', 'sent']);
    expect(sent.get('bad')?.reason).toMatch(/^SOCKET_LOST: .* 8 times/);
    expect(counted).toMatchObject({ 'dmr_outbox_failed_total{reason="SOCKET_LOST"}': 1 });
    expect(jest.mocked(backoffMs).mock.calls.map(([failures]) => failures)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it.each([
    ['beside others', () => Promise.reject(among)],
    ['and was not sent, at times', (tries: number) => Promise.reject(tries % 2 ? among : down)],
    ['but for an answer now and then', (tries: number) => Promise.reject(tries % 8 ? alone : silence)],
  ])('is sent in the end when that was %s', async (_how, lost) => {
    answer = (_id, tries) => (tries > 30 ? Promise.resolve(OK) : lost(tries));
    await add('innocent');
    await allSettled();
    expect([sent.get('innocent')?.state, transmitted.length]).toEqual(['sent', 31]);
  });

  it('goes up with no other such beside it', async () => {
    let [underWay, most] = [0, 0];
    answer = async (_id, tries) => {
      if (tries === 1) throw among;
      most = Math.max(most, ++underWay);
      await new Promise(setImmediate);
      underWay -= 1;
      return OK;
    };
    await Promise.all(['a', 'b', 'c', 'd'].map((id) => add(id)));
    await allSettled();
    expect([most, transmitted.length]).toEqual([1, 8]);
  });
});
