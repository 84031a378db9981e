import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually } from '../helpers/eventually';
import { useVhost } from '../helpers/rabbitmq';

const { amqp, management } = useVhost();
jest.setTimeout(60_000);

const ROOT = path.join(__dirname, '../..');
const NODES = ['CentOps', 'Tax Office chatbot', 'Police chatbot', 'server', 'Tax Office agent', 'Police agent'];
const dataDir = mkdtempSync(path.join(tmpdir(), 'dmr-demo-'));
const demoDir = path.join(dataDir, 'demo');
const runs: DemoRun[] = [];

/** A demo under way: what `npm start` runs, without a terminal and with nothing to read. */
class DemoRun {
  output = '';
  /** Exit code. */
  readonly exit: Promise<number | null>;
  private readonly child: ChildProcess;

  constructor(args: string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, ['scripts/start.mjs', '--data-dir', dataDir, ...args], {
      cwd: ROOT,
      env: { ...process.env, ...brokerEnv(), ...MISLEADING, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    }
    this.exit = once(this.child, 'close').then(([code]) => code as number | null);
    runs.push(this);
  }

  says(text: string): Promise<void> {
    return eventually(
      () => {
        if (!this.output.includes(text)) throw new Error(`The demo did not say "${text}" but:\n${this.output}`);
      },
      { timeoutMs: 40_000 },
    );
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

/** What the demo must not hand down. */
const MISLEADING = {
  PORT: '1',
  NAMESPACE: 'other',
  LOGLEVEL: 'fatal',
  RABBITMQ_DEFAULT_TTL: '1',
  MOL_TRANSPORTER: 'x',
};

function brokerEnv(): NodeJS.ProcessEnv {
  return {
    RABBITMQ_DEFAULT_HOST: amqp.host,
    RABBITMQ_DEFAULT_PORT: String(amqp.port),
    RABBITMQ_DEFAULT_USER: amqp.user,
    RABBITMQ_DEFAULT_PASS: amqp.password,
    RABBITMQ_DEFAULT_VHOST: amqp.vhost,
    RABBITMQ_DEFAULT_MANAGEMENT_UI_URI: management.url,
  };
}

function logOf(node: string): string {
  return readFileSync(path.join(demoDir, `${node.toLowerCase().replaceAll(' ', '-')}.log`), 'utf8');
}

/** Pid of a node of the latest run, from the node id in its log. */
function pidOf(node: string): number {
  return Number(/"node":"[^"]*-(\d+)-[0-9a-f]+"/.exec(logOf(node))?.[1]);
}

/** When a node of the latest run had stopped, ISO 8601. */
function endOf(node: string): string {
  return /"time":"([^"]+)"[^\n]+is stopped\. Good bye/.exec(logOf(node))?.[1] ?? '';
}

/** Does what the demo proposes: looks at its health, asks a question, reads the answer. */
async function pasteCommands(output: string): Promise<void> {
  const [healthUrl] = /http:\S+\/v1\/health/.exec(output) ?? [''];
  expect((await fetch(healthUrl)).status).toBe(200);
  const [question] = /^curl -i [^]+^EOF$/m.exec(output) ?? [''];
  expect(execFileSync('sh', ['-c', question], { stdio: ['ignore', 'pipe', 'ignore'] }).toString()).toMatch(/ 200 OK/);
  const [, conversationUrl] = /^curl (\S+conversations\S+)$/m.exec(output) ?? ['', ''];
  await eventually(async () => expect(await (await fetch(conversationUrl)).text()).toContain('Police here'));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Whatever of the demo still runs: its nodes, and what guards them. */
function leftOvers(): string[] {
  const guards = execFileSync('ps', ['-eo', 'args']).toString().split('\n');
  return [...guards.filter((line) => line.includes(dataDir)), ...NODES.filter((node) => isAlive(pidOf(node)))];
}

function modeOf(file: string): string {
  return (statSync(path.join(demoDir, file)).mode & 0o777).toString(8);
}

const KEYS = ['police.pem', 'tax-office.pem'];
const keys = () => KEYS.map((file) => readFileSync(path.join(demoDir, file), 'utf8'));

afterAll(() => {
  for (const run of runs) run.kill('SIGKILL');
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

describe('npm start', () => {
  it('--once: carries a question there and its answer back, shows each hop and leaves nothing behind', async () => {
    const demo = new DemoRun(['--once']);
    expect(`${await demo.exit} ${demo.output}`).toMatch(/^0 /);
    for (const [from, to] of [
      ['Tax Office', 'Police'],
      ['Police', 'Tax Office'],
    ]) {
      // Each on its own: a message may be on its way down before the server reads that it was confirmed.
      expect(demo.output).toMatch(new RegExp(`ms +${from} chatbot +hands .* to its agent`));
      expect(demo.output).toMatch(
        new RegExp(`ms +${from} agent +signs it as the ${from} and encrypts it for the ${to} alone`),
      );
      expect(demo.output).toMatch(
        new RegExp(`ms +server +puts it into the quorum queue of the ${to}; RabbitMQ confirms`),
      );
      expect(demo.output).toMatch(new RegExp(`ms +server +sends it down to the ${to} agent`));
      expect(demo.output).toMatch(new RegExp(`ms +${to} agent +decrypts it and checks the signature of the ${from}`));
      expect(demo.output).toMatch(new RegExp(`ms +${to} chatbot +takes it`));
    }
    expect(demo.output.match(/ms +server +takes it off the queue/g)).toHaveLength(2);
    expect(demo.output).toContain(
      'The answer of the Police at the Tax Office chatbot: "Police here: we have your question',
    );
    expect(demo.output).not.toContain(amqp.password);
    expect(demo.output).not.toContain('PRIVATE KEY');
    expect(leftOvers()).toEqual([]);
    expect(KEYS.map(modeOf)).toEqual(['600', '600']);
  });

  it('stays up with the same agents until it is interrupted, and then takes everything down in order', async () => {
    const before = keys();
    const demo = new DemoRun([]);
    await demo.says('Ctrl-C ends everything');
    expect(keys()).toEqual(before);
    expect(modeOf('server.env')).toBe('600');
    expect(NODES.filter((node) => isAlive(pidOf(node)))).toEqual(NODES);
    await pasteCommands(demo.output);
    demo.kill('SIGINT');
    expect(await demo.exit).toBe(0);
    expect(leftOvers()).toEqual([]);
    expect(readdirSync(demoDir)).not.toContain('server.env');
    const inOrder = NODES.toSorted((a, b) => endOf(a).localeCompare(endOf(b)));
    expect(inOrder.slice(0, 2).sort()).toEqual(['Police agent', 'Tax Office agent']);
    expect(inOrder[2]).toBe('server');
  });

  it('ends with the reason when one of its processes dies', async () => {
    const demo = new DemoRun([]);
    await demo.says('Ctrl-C ends everything');
    process.kill(pidOf('Police agent'), 'SIGKILL');
    expect(await demo.exit).toBe(1);
    expect(demo.output).toContain('The Police agent ended by itself. The end of');
    expect(leftOvers()).toEqual([]);
  });

  it('takes its processes along when it is killed', async () => {
    const demo = new DemoRun([]);
    await demo.says('Ctrl-C ends everything');
    demo.kill('SIGKILL');
    await demo.exit;
    await eventually(() => leftOvers().length === 0);
  });

  it('--once: ends with the reason when there is no broker to carry the question', async () => {
    const demo = new DemoRun(['--once'], { RABBITMQ_DEFAULT_HOST: '127.0.0.1', RABBITMQ_DEFAULT_PORT: '1' });
    expect(await demo.exit).toBe(1);
    expect(demo.output).toContain('No RabbitMQ answered on 127.0.0.1:1 within 10 s');
    expect(leftOvers()).toEqual([]);
  });

  it('explains itself, and what it does not know', async () => {
    const [help, wrong] = [new DemoRun(['--help']), new DemoRun(['--one'])];
    expect(await help.exit).toBe(0);
    expect(help.output).toMatch(/^Usage: npm start/);
    expect(await wrong.exit).toBe(64);
    expect(wrong.output.trim()).toBe(`Unknown option '--one'. "npm start -- --help" shows what there is.`);
  });
});
