import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { freePorts } from '../../scripts/lib/broker/free-ports';
import { eventually } from '../helpers/eventually';
import { temporaryFolder } from '../helpers/temporary-folder';

const ROOT = path.join(__dirname, '../..');
const DMR = path.join(ROOT, 'bin/dmr.mjs');
const ENV = { PATH: process.env['PATH'], HOME: process.env['HOME'] };

/** Runs the command as a shell does, so with its umask and its pipes. */
async function shell(script: string, cwd: string, env: NodeJS.ProcessEnv = {}) {
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    const options = { cwd, env: { ...ENV, ...env } };
    execFile('sh', ['-c', script], options, (error, out, err) => resolve({ code: Number(error?.code ?? 0), out, err }));
  });
}

describe('dmr as a process of its own', () => {
  const cwd = temporaryFolder();
  const dmr = `'${process.execPath}' '${DMR}'`;

  it('makes a key, which fits the list that it is in and no other', async () => {
    const made = await shell(`umask 000; ${dmr} keygen --new-id --json > made.json`, cwd);
    expect(made).toEqual({ code: 0, out: '', err: '' });
    expect(statSync(path.join(cwd, 'agent-private-key.pem')).mode & 0o777).toBe(0o600);
    const { agentId, publicKey } = JSON.parse(readFileSync(path.join(cwd, 'made.json'), 'utf8')) as Record<
      string,
      string
    >;
    const check = `${dmr} keys check --key agent-private-key.pem --id ${agentId} --list /dev/stdin`;
    const list = (certificate: string) =>
      `echo '${JSON.stringify([{ id: agentId, name: '', authenticationCertificate: certificate }])}'`;
    const escaped = (publicKey ?? '').replaceAll('\n', '\\n');
    expect(await shell(`${list(escaped)} | ${check}`, cwd)).toMatchObject({ code: 0, err: '' });
    expect(await shell(`${list('')} | ${check}`, cwd)).toMatchObject({ code: 3 });
    expect(await shell(`${dmr} keygen`, cwd)).toMatchObject({ code: 73, out: '' });
  });

  it('prints the line that makes an environment, with which an agent starts', async () => {
    const own = temporaryFolder();
    const made = await shell(`${dmr} keygen --new-id`, own);
    const line = made.out.split('\n').find((each) => each.endsWith('>> .env')) ?? 'false';
    expect(await shell(line, own)).toEqual({ code: 0, out: '', err: '' });
    const check = await shell(`${dmr} keys check --envfile .env --list /dev/null`, own);
    expect(check).toMatchObject({ code: 69, err: expect.stringContaining('/dev/null') as string });
    const [port] = await freePorts(1);
    const runner = [path.join(ROOT, 'node_modules/moleculer/bin/moleculer-runner.js'), '--envfile', '.env'];
    const args = [...runner, '--config', `${ROOT}/dist/moleculer.config.js`, `${ROOT}/dist/services/agent`];
    const server = { DMR_SERVER_WEBSOCKET_URL: 'http://127.0.0.1:9', OUTGOING_MESSAGE_ENDPOINT: 'http://127.0.0.1:9/' };
    const env = { ...ENV, ...server, DMR_ROLE: 'agent', PORT: String(port), AGENT_DATA_DIR: own };
    const agent = spawn(process.execPath, args, { cwd: own, env, stdio: 'ignore' });
    try {
      await eventually(async () => (await fetch(`http://127.0.0.1:${port}/v1/health/live`)).ok, { timeoutMs: 20_000 });
    } finally {
      agent.kill();
      await once(agent, 'exit');
    }
  }, 40_000);

  it('reads the environment of the process', async () => {
    const found = await shell(`${dmr} keys check --list nowhere.json`, cwd, { AGENT_ID: 'police' });
    expect(found).toEqual({ code: 78, out: '', err: 'dmr: AGENT_ID: wants a UUID, got "police"\n' });
  });

  it('names a file that cannot be read', async () => {
    const found = await shell(`${dmr} keys check --envfile nowhere.env`, cwd);
    expect(found).toMatchObject({ code: 66, out: '' });
    expect(found.err).toMatch(/ENOENT.*'nowhere\.env'/);
  });

  it('writes no key into a folder that is not there, and none over a full disk', async () => {
    expect(await shell(`${dmr} keygen --out missing/key.pem`, cwd)).toMatchObject({ code: 73, out: '' });
    const limited = await shell(`ulimit -f 0; trap '' XFSZ; ${dmr} keygen --out full.pem 2>&1`, cwd);
    expect(limited).toMatchObject({ code: 73, out: expect.stringMatching(/full\.pem.*EFBIG/) as string });
    expect(existsSync(path.join(cwd, 'full.pem'))).toBe(false);
  });

  it('ends with 64 for what it does not know', async () => {
    const { code, err } = await shell(`${dmr} keygen --size 1`, cwd);
    expect({ code, err }).toEqual({ code: 64, err: expect.stringContaining("Unknown option '--size'") as string });
  });
});

describe('the package', () => {
  interface Packed {
    files: { path: string; mode: number }[];
  }
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const output = execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const report = JSON.parse(output) as Packed[] | Record<string, Packed>;
  const [{ files } = { files: [] }] = Object.values(report);
  const names = files.map((file) => file.path);

  it('holds what it takes to run nodes and commands', () => {
    const { bin } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { bin: { dmr: string } };
    expect(names).toEqual(
      expect.arrayContaining([
        bin.dmr,
        ...['LICENSE', 'README.md', 'package.json', 'scripts/ensure-build.mjs', 'docs/configuration.md'],
        ...['dist/lib/cli/dmr.js', 'dist/moleculer.config.js', 'dist/services/agent/api.service.js'],
        ...['services/agent/.env.example', 'monitoring/prometheus.yml', 'monitoring/alerts/server.yml'],
      ]),
    );
    expect((files.find((file) => file.path === bin.dmr)?.mode ?? 0) & 0o111).toBe(0o111);
  });

  it('holds no source, no test, no key and no environment', () => {
    const unwanted = /(^|\/)(test|tests|benchmarks|node_modules|data)\/|(?<!\.d)\.ts$|\.pem$|\.env$|\.tsbuildinfo$/;
    expect(names.filter((name) => unwanted.test(name))).toEqual([]);
  });
});
