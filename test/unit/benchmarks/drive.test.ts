import { Driver } from '../../../benchmarks/load/drive';
import { envelope, numberIn } from '../../../benchmarks/load/letters';
import { parseEnvelope } from '../../../lib/protocol/envelope';

const AGENT = '7b2d9e44-1c57-4a8e-8f3b-5e6f7a8b9c02';
const LOAD = { senders: 2, inFlight: 3, warmUpMs: 20, measureMs: 50, payloadBytes: 10 };

/** A mesh that does to message number `n` what the test wants. */
function mesh(does: (n: number, ack: (ok: boolean) => void, arrive: () => void) => void, limitMs = 200): Driver {
  const driver: Driver = new Driver((sender, n, payload) => {
    const text = envelope(n, AGENT, AGENT, payload);
    const ack = (ok: boolean) => driver.acked(sender, n, ok, 'refused for once');
    setImmediate(() => does(n, ack, () => driver.arrived(text)));
  }, limitMs);
  return driver;
}

describe('the load of a benchmark', () => {
  it('is counted once each, kept within its window, and ends when all has arrived', async () => {
    const result = await mesh((_n, ack, arrive) => (ack(true), arrive())).full(LOAD);
    const { sent, accepted, delivered } = result;
    expect(sent).toBeGreaterThan(6);
    expect({ accepted, delivered }).toEqual({ accepted: sent, delivered: sent });
    expect(result).toMatchObject({ refused: 0, twice: 0, late: 0 });
    expect(result.perSecond).toBeGreaterThan(0);
  });

  it('shows a message that came twice', async () => {
    const result = await mesh((n, ack, arrive) => (ack(true), arrive(), n === 7 && arrive())).full(LOAD);
    expect(result.twice).toBe(1);
  });

  it('shows a message that was refused', async () => {
    const result = await mesh((n, ack, arrive) => (n === 7 ? ack(false) : (ack(true), arrive()))).full(LOAD);
    expect(result).toMatchObject({ refused: 1, refusal: 'refused for once' });
  });

  it('fails when a message is lost', async () => {
    const load = mesh((n, ack, arrive) => (ack(true), n !== 7 && arrive())).full(LOAD);
    await expect(load).rejects.toThrow('not settled in 200 ms');
  });

  it('at an even pace tells how long each was on its way', async () => {
    const times = await mesh((_n, ack, arrive) => (arrive(), ack(true))).paced({ ...LOAD, perSecond: 500, count: 20 });
    expect(times.count).toBe(18);
    expect(times.p50).toBeGreaterThan(0);
  });
});

describe('an envelope of the load', () => {
  it('is one that a server accepts, and tells its number', () => {
    const text = envelope(1_234_567, AGENT, AGENT, 'sealed');
    expect(parseEnvelope(JSON.parse(text))).toMatchObject({ envelope: { senderId: AGENT, payload: 'sealed' } });
    expect(numberIn(`42/x,7["y",${text}]`)).toBe(1_234_567);
    expect(numberIn('something else')).toBeNaN();
  });
});
