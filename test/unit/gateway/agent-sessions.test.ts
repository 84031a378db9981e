import { AgentDirectory } from '../../../lib/agents/directory';
import type { AgentSession } from '../../../lib/gateway/agent-session';
import { AgentSessions } from '../../../lib/gateway/agent-sessions';
import type { NodeRouter } from '../../../lib/router/node-router';
import { RecordingLog } from '../fakes';

const AGENT = '7b2d9e44-1c57-4a8e-8f3b-5e6f7a8b9c02';
const since = Date.parse('2026-11-20T10:00:00.000Z');
const record = { id: AGENT, name: 'beta', authenticationCertificate: '', createdAt: '', updatedAt: '' };

/** What happened, in order. */
let steps: string[];
let log: RecordingLog;
let sessions: AgentSessions;
/** Steps that wait until a test lets them go on. */
let held: Map<string, Promise<void>>;
let failing: string | undefined;

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

  sendFullList(): Promise<void> {
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
  const directory = new AgentDirectory();
  directory.replace([record]);
  const router = {
    directory,
    consumers: { inFlight: () => 2, attach: () => step('attach'), detach: () => step('detach') },
  } as unknown as NodeRouter;
  sessions = new AgentSessions(router, 0, () => step('drop elsewhere'), log);
});

const LOGIN = (name: string) => ['detach', `drop elsewhere`, `list to ${name}`, 'attach'];

describe('a login', () => {
  it('drops what there was elsewhere, sends the list, and only then lets messages come', async () => {
    await sessions.login(session('one'));
    expect(steps).toEqual(LOGIN('one'));
    expect(sessions.size).toBe(1);
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
    expect(steps.at(-1)).toBe('drop one');
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
