import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { startGuard } from '../../../scripts/lib/broker/guard';
import type { Guard, GuardPlan } from '../../../scripts/lib/broker/guard';
import { eventually } from '../../helpers/eventually';
import { temporaryFolder } from '../../helpers/temporary-folder';

const GUARD_TS = path.join(__dirname, '../../../scripts/lib/broker/guard.ts');

/** A plan for shell scripts; each notes its pid in `<number>.pid` once it runs and its trap, the part before `#`, is set. */
function planOf(scripts: string[], plan: Partial<GuardPlan> = {}): GuardPlan {
  const dir = temporaryFolder();
  const noting = (script: string, index: number) => {
    const [trap, body] = script.includes('#') ? (script.split('#') as [string, string]) : [':', script];
    return `${trap}; echo $$ >${index}.part; mv ${index}.part ${index}.pid; ${body}`;
  };
  const processes = scripts.map((script, index) => ({
    command: ['sh', '-c', noting(script, index)] as [string, ...string[]],
    log: path.join(dir, `${index}.log`),
  }));
  return { dir, processes, graceMs: 5000, throwAway: false, ...plan };
}

const pidOf = (plan: GuardPlan, index: number) =>
  eventually(
    () => existsSync(path.join(plan.dir, `${index}.pid`)) && Number(readFileSync(path.join(plan.dir, `${index}.pid`))),
  );

const start = (plan: GuardPlan, say = (_line: string) => {}) => startGuard(plan, process.env, say);

function alive(pid: number): boolean {
  return (
    execFileSync('sh', ['-c', `ps -o stat= -p ${pid} || true`])
      .toString()
      .trim()
      .replace(/^Z.*/, '') !== ''
  );
}

describe('guard', () => {
  it('ends a throw-away broker at once, with all that it started, and removes its folder', async () => {
    const plan = planOf(['trap "" TERM # sleep 60 & echo $! >child.part; mv child.part child.pid; wait'], {
      throwAway: true,
    });
    const guard = await start(plan);
    const child = path.join(plan.dir, 'child.pid');
    const pids = [await pidOf(plan, 0), await eventually(() => existsSync(child) && Number(readFileSync(child)))];
    await guard.stop();
    expect(pids.map(alive)).toEqual([false, false]);
    expect(existsSync(plan.dir)).toBe(false);
  });

  it('asks a kept one to end, last started first, and leaves its folder', async () => {
    const onTerm = (name: string) => `trap "echo ${name} >>ended; exit" TERM # while :; do sleep 0.05; done`;
    const plan = planOf([onTerm('first'), onTerm('second')]);
    const guard = await start(plan);
    await Promise.all([pidOf(plan, 0), pidOf(plan, 1)]);
    await guard.stop();
    expect(readFileSync(path.join(plan.dir, 'ended'), 'utf8')).toBe('second\nfirst\n');
  });

  it('does not wait for ever for one that will not end', async () => {
    const plan = planOf(['trap "" TERM # while :; do sleep 0.05; done'], { graceMs: 200 });
    const guard = await start(plan);
    const pid = await pidOf(plan, 0);
    await guard.stop();
    expect(alive(pid)).toBe(false);
  });

  it('ends all and says so when one ends by itself; the logs stay for the launcher', async () => {
    const plan = planOf(['sleep 60', 'echo oh dear; exit 3'], { throwAway: true });
    const guard = await start(plan);
    const pid = await pidOf(plan, 0);
    await eventually(() => guard.ended.aborted);
    expect(alive(pid)).toBe(false);
    expect(readFileSync(path.join(plan.dir, '1.log'), 'utf8')).toBe('oh dear\n');
    await guard.stop();
  });

  it('runs the stop command for a broker that is no child', async () => {
    const plan = planOf([], { stopCommand: ['touch', 'stopped'] });
    await (await start(plan)).stop();
    expect(existsSync(path.join(plan.dir, 'stopped'))).toBe(true);
  });

  it('lets the next run on the same folder wait until the first has ended', async () => {
    const plan = planOf(['trap "sleep 1; echo ended >first; exit" TERM; while :; do sleep 0.05; done'], {
      lock: 'guard.sock',
    });
    const said: string[] = [];
    const first = await start(plan);
    await pidOf(plan, 0);
    const second = start({ ...plan, processes: [] }, (line) => said.push(line));
    await eventually(() => said.length > 0);
    expect(said).toEqual([expect.stringContaining('Waiting for the earlier run')]);
    void first.stop();
    await (await second).stop();
    expect(existsSync(path.join(plan.dir, 'first'))).toBe(true);
  });

  it('takes a folder whose guard was killed', async () => {
    const plan = planOf([], { lock: 'guard.sock' });
    const guard = await start(plan);
    await kill(guard, plan);
    expect(existsSync(path.join(plan.dir, 'guard.sock'))).toBe(true);
    await (await start(plan)).stop();
  });

  it('leaves nothing behind when it is killed itself', async () => {
    const plan = planOf(['sleep 60']);
    const guard = await start(plan);
    const pid = await pidOf(plan, 0);
    await kill(guard, plan);
    await eventually(() => !alive(pid));
  });

  it('ends when its launcher is killed', async () => {
    const plan = planOf(['trap "echo ended >ended; exit" TERM; while :; do sleep 0.05; done']);
    const launcher = spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        '-e',
        `require(${JSON.stringify(GUARD_TS)}).startGuard(${JSON.stringify(plan)}, process.env, () => {}); setInterval(() => {}, 1000);`,
      ],
      { stdio: 'ignore' },
    );
    const pid = await pidOf(plan, 0);
    launcher.kill('SIGKILL');
    await eventually(() => !alive(pid));
    expect(existsSync(path.join(plan.dir, 'ended'))).toBe(true);
  });
});

/** Kills the guard of `plan`, found by its argument. */
async function kill(guard: Guard, plan: GuardPlan): Promise<void> {
  const pid = execFileSync('pgrep', ['-f', `guard-process.mjs.*${plan.dir}`]).toString();
  process.kill(Number(pid), 'SIGKILL');
  await eventually(() => guard.ended.aborted);
}
