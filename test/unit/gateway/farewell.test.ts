import type { AgentSession } from '../../../lib/gateway/agent-session';
import { farewell, turnOf } from '../../../lib/gateway/farewell';

class FakeSession {
  isOpen = true;
  leaving = false;
  readonly steps: string[] = [];

  constructor(
    readonly agentId: string,
    private readonly knowsLeaving: boolean,
  ) {}

  knows(): boolean {
    return this.knowsLeaving;
  }

  askToLeave(afterMs: number): void {
    this.steps.push(`asked ${afterMs}`);
  }

  hangUp(): void {
    this.isOpen = false;
    this.steps.push('hung up');
  }
}

const session = (knowsLeaving: boolean) => new FakeSession('a', knowsLeaving);

function leave(one: FakeSession, busy: () => boolean, timeoutMs = 5000): Promise<void> {
  return farewell({
    sessions: [one as unknown as AgentSession],
    quiesce: () => Promise.resolve(void one.steps.push('quiesced')),
    isBusy: busy,
    timeoutMs,
  });
}

describe('a farewell', () => {
  it('asks an agent that knows how to leave, and waits until it is gone', async () => {
    const one = session(true);
    const leaving = leave(one, () => true);
    await new Promise((resolve) => setTimeout(resolve, 60)); // several looks long
    expect(one.steps).toEqual(['asked 100', 'quiesced']);
    one.isOpen = false;
    await leaving;
  });

  it('hangs up on any other agent when nothing is under way for it', async () => {
    const one = session(false);
    let busy = true;
    const leaving = leave(one, () => busy);
    await new Promise((resolve) => setTimeout(resolve, 60)); // several looks long
    expect(one.steps).toEqual(['quiesced']);
    busy = false;
    await leaving;
    expect(one.steps).toEqual(['quiesced', 'hung up']);
  });

  it.each([true, false])('hangs up at the deadline at the latest (knows how to leave: %s)', async (knows) => {
    const one = session(knows);
    await leave(one, () => true, 100);
    expect(one.steps.at(-1)).toBe('hung up');
  });

  it('lets no consumer begin for a session that is leaving, and leaves one alone that has gone', async () => {
    const one = session(true);
    one.isOpen = false;
    await leave(one, () => true);
    expect(one.leaving).toBe(true);
    expect(one.steps).toEqual([]);
  });
});

describe('the turns', () => {
  it.each([
    [1, 15_000, 0],
    [100, 15_000, 990],
    [500, 15_000, 4990],
    [5000, 15_000, 4999],
    [5000, 3000, 999],
  ])('of %d sessions within %d ms end after %d ms', (count, timeoutMs, last) => {
    expect(turnOf(0, count, timeoutMs)).toBe(0);
    expect(turnOf(count - 1, count, timeoutMs)).toBe(last);
  });
});
