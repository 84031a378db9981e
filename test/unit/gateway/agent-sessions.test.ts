import { AgentDirectory } from '../../../lib/agents/directory';
import type { AgentSession } from '../../../lib/gateway/agent-session';
import { AgentSessions } from '../../../lib/gateway/agent-sessions';
import type { Login, Outcome } from '../../../lib/gateway/rivals';
import type { NodeRouter } from '../../../lib/router/node-router';
import { RecordingLog } from '../fakes';

const AGENT = '7b2d9e44-1c57-4a8e-8f3b-5e6f7a8b9c02';
const since = Date.parse('2026-11-20T10:00:00.000Z');
const record = { id: AGENT, name: 'beta', authenticationCertificate: '', createdAt: '', updatedAt: '' };

/** What happened, in order. */
let steps: string[];
let log: RecordingLog;
let sessions: AgentSessions;
let directory: AgentDirectory;
/** Steps that wait until a test lets them go on. */
let held: Map<string, Promise<void>>;
let failing: string | undefined;
/** What the other nodes say to a login here. */
let outcome: Outcome;

async function step(what: string): Promise<void> {
  steps.push(what);
  await held.get(what);
  if (failing === what) throw new Error('no broker');
}

function hold(what: string): () => void {
  let release: () => void = () => undefined;
  held.set(what, new Promise<void>((resolve) => (release = resolve)));
  return release;
}

class FakeSession {
  readonly agentId = AGENT;
  isOpen = true;
  readonly send = () => undefined;

  constructor(
    readonly name: string,
    readonly since: number,
  ) {}

  list: unknown;

  sendFullList(list: unknown): Promise<void> {
    this.list = list;
    return step(`list to ${this.name}`);
  }

  drop(): void {
    this.isOpen = false;
    steps.push(`drop ${this.name}`);
  }
}

function session(name: string, at = since): AgentSession & FakeSession {
  return new FakeSession(name, at) as unknown as AgentSession & FakeSession;
}

beforeEach(() => {
  steps = [];
  held = new Map();
  failing = undefined;
  log = new RecordingLog();
  directory = new AgentDirectory();
  directory.replace([record]);
  const router = {
    directory,
    consumers: { inFlight: () => 2, attach: () => step('attach'), detach: () => step('detach') },
    inFlight: { oldestOf: () => undefined },
  } as unknown as NodeRouter;
  outcome = { newer: false, gone: [] };
  const takeOver = async () => {
    await step('drop elsewhere');
    return outcome;
  };
  sessions = new AgentSessions(router, 'node-2', '/agents', 0, takeOver, log);
});

const LOGIN = (name: string) => ['detach', `drop elsewhere`, `list to ${name}`, 'attach'];

describe('a login', () => {
  it('drops what there was elsewhere, sends the list, and only then lets messages come', async () => {
    await sessions.login(session('one'));
    expect(steps).toEqual(LOGIN('one'));
    expect(sessions.size).toBe(1);
  });

  it('gets a list that is encoded once for as long as it says the same', async () => {
    const [one, two, three] = [session('one'), session('two', since + 1), session('three', since + 2)];
    await sessions.login(one);
    directory.replace([record]);
    await sessions.login(two);
    expect(two.list).toBe(one.list);
    directory.replace([{ ...record, name: 'renamed' }]);
    await sessions.login(three);
    expect(JSON.stringify(three.list)).toContain('renamed');
    expect(JSON.stringify(one.list)).not.toContain('renamed');
  });

  it('shows in the list of sessions', async () => {
    await sessions.login(session('one'));
    const expected = { agentId: AGENT, name: 'beta', since: '2026-11-20T10:00:00.000Z', inFlight: 2 };
    expect(sessions.list()).toEqual([expected]);
  });

  it('lets no message come to a socket that has gone meanwhile', async () => {
    const release = hold('list to one');
    const one = session('one');
    const login = sessions.login(one);
    one.isOpen = false;
    release();
    await login;
    expect(steps).not.toContain('attach');
  });

  it('takes over from an earlier one, whose logout then changes nothing', async () => {
    const [one, two] = [session('one'), session('two', since + 1)];
    await sessions.login(one);
    steps = [];
    const takeover = sessions.login(two);
    await sessions.logout(one);
    await takeover;
    expect(steps).toEqual(['drop one', ...LOGIN('two')]);
    expect(sessions.list()).toHaveLength(1);
    expect(two.isOpen).toBe(true);
  });

  it('waits for the logout before it to be through', async () => {
    const one = session('one');
    await sessions.login(one);
    steps = [];
    const release = hold('detach');
    const [logout, login] = [sessions.logout(one), sessions.login(session('two', since + 1))];
    await new Promise(setImmediate);
    expect(steps).toEqual(['detach']);
    release();
    await Promise.all([logout, login]);
    expect(steps).toEqual(['detach', ...LOGIN('two')]);
  });

  it.each(['detach', 'drop elsewhere', 'list to one', 'attach'])(
    'that fails at "%s" drops the socket, so that the agent comes again',
    async (what) => {
      failing = what;
      await sessions.login(session('one'));
      expect(steps.at(-1)).toBe('drop one');
      expect(log.at('error')).toEqual([expect.stringContaining('no broker')]);
      failing = undefined;
      steps = [];
      await sessions.login(session('two'));
      expect(steps.slice(-4)).toEqual(LOGIN('two'));
    },
  );
});

describe('a logout', () => {
  it('gives back what is in flight', async () => {
    const one = session('one');
    await sessions.login(one);
    steps = [];
    await sessions.logout(one);
    expect(steps).toEqual(['detach']);
    expect(sessions.size).toBe(0);
  });

  it('during a login ends with nobody consuming', async () => {
    const one = session('one');
    const release = hold('list to one');
    const login = sessions.login(one);
    const logout = sessions.logout(one);
    one.isOpen = false;
    release();
    await Promise.all([login, logout]);
    expect(steps.at(-1)).toBe('detach');
    expect(steps).not.toContain('attach');
  });
});

describe('drop', () => {
  it('drops a session, or says that there is none', async () => {
    expect(await sessions.drop(AGENT)).toBe(false);
    await sessions.login(session('one'));
    expect(await sessions.drop(AGENT)).toBe(true);
    expect(steps.slice(-2)).toEqual(['drop one', 'detach']);
  });

  it('is through only when the queue is no longer consumed here', async () => {
    const one = session('one');
    await sessions.login(one);
    const release = hold('detach');
    const logout = sessions.logout(one);
    let through = false;
    const drop = sessions.drop(AGENT).then(() => (through = true));
    await Promise.resolve();
    expect(through).toBe(false);
    release();
    await Promise.all([logout, drop]);
    expect(steps.at(-1)).toBe('detach');
  });
});

describe('a login elsewhere', () => {
  const rival = (at: number, nodeID = 'node-1'): Login => ({ agentId: AGENT, since: at, nodeID });

  it('takes over from a login that is through, whatever the clocks say', async () => {
    await sessions.login(session('one', since));
    expect(await sessions.yieldTo(rival(since - 3_600_000))).toEqual({ newer: false, gone: `${since} node-2` });
    expect(steps.slice(-2)).toEqual(['drop one', 'detach']);
  });

  it('is answered at once when there is nobody to give way', async () => {
    expect(await sessions.yieldTo(rival(since))).toEqual({ newer: false });
  });

  it.each([
    ['later than', rival(since - 1), true],
    ['earlier than', rival(since + 1), false],
    ['at the same time as, by the names of the nodes,', rival(since, 'node-1'), true],
    ['at the same time as, by the names of the nodes,', rival(since, 'node-3'), false],
  ])('that crosses one here is told at once who goes first: here %s %j', async (_when, other, newer) => {
    const release = hold('drop elsewhere');
    const one = session('one', since);
    const login = sessions.login(one);
    await new Promise(setImmediate);
    expect((await sessions.yieldTo(other)).newer).toBe(newer);
    expect(one.isOpen).toBe(newer);
    release();
    await login;
  });

  it('that was found to be newer ends the one here', async () => {
    outcome = { newer: true, gone: [] };
    const one = session('one');
    await sessions.login(one);
    expect(one.isOpen).toBe(false);
    expect(steps).not.toContain('attach');
  });

  it('that gave way already is not obeyed when its request comes late', async () => {
    outcome = { newer: false, gone: [`${since - 5} node-1`] };
    const one = session('one');
    await sessions.login(one);
    expect(await sessions.yieldTo(rival(since - 5))).toEqual({ newer: true });
    expect(one.isOpen).toBe(true);
  });

  it('does not wait for a login here that waits for its node', async () => {
    const release = hold('drop elsewhere');
    const login = sessions.login(session('one', since));
    await new Promise(setImmediate);
    await expect(sessions.yieldTo(rival(since + 1))).resolves.toMatchObject({ newer: false });
    release();
    await login;
    expect(steps).not.toContain('attach');
  });
});

describe('a comparison with a node that was out of reach', () => {
  const logins = (at: number) => [{ agentId: AGENT, since: at, nodeID: 'node-1' }];

  it('ends the older login here', async () => {
    const one = session('one');
    await sessions.login(one);
    expect(sessions.compare(logins(since + 1))).toEqual([]);
    expect(one.isOpen).toBe(false);
  });

  it('names the agents whose login here is newer', async () => {
    const one = session('one');
    await sessions.login(one);
    expect(sessions.compare(logins(since - 1))).toEqual([AGENT]);
    expect(one.isOpen).toBe(true);
  });

  it('says nothing of agents that are not here, or that still ask around', async () => {
    expect(sessions.compare(logins(since))).toEqual([]);
    const release = hold('drop elsewhere');
    const one = session('one');
    const login = sessions.login(one);
    expect(sessions.compare(logins(since + 1))).toEqual([]);
    expect(sessions.logins()).toEqual([]);
    release();
    await login;
    expect(one.isOpen).toBe(true);
  });

  it('lets those go that are older than elsewhere, unless the agent has logged in again meanwhile', async () => {
    await sessions.login(session('one'));
    const [asked, again] = [sessions.logins(), session('two', since + 1)];
    await sessions.login(again);
    sessions.giveUp(asked);
    expect(again.isOpen).toBe(true);
    sessions.giveUp(sessions.logins());
    expect(again.isOpen).toBe(false);
  });
});

it('is settled when every login and logout that has begun is through', async () => {
  const release = hold('attach');
  const settled = jest.fn();
  void sessions.login(session('one'));
  const settling = sessions.settled().then(settled);
  await new Promise(setImmediate);
  expect(settled).not.toHaveBeenCalled();
  release();
  await settling;
  expect(steps).toEqual(LOGIN('one'));
});
