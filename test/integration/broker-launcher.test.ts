import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect } from 'amqplib';
import { eventually } from '../helpers/eventually';

const ROOT = path.join(__dirname, '../..');
jest.setTimeout(60_000);

/** Starts `scripts/broker.ts` with a temporary folder of its own and reads the variables it prints. */
async function launch(temp: string): Promise<{ launcher: ChildProcess; env: Record<string, string> }> {
  const launcher = spawn(process.execPath, ['--import', 'tsx', 'scripts/broker.ts'], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: temp, RABBITMQ_DEFAULT_HOST: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  launcher.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  await eventually(() => printed.includes('MANAGEMENT_URL') && printed.endsWith('\n'), { timeoutMs: 40_000 });
  const pairs = [...printed.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]);
  return { launcher, env: Object.fromEntries(pairs) as Record<string, string> };
}

/** Command lines of running processes that name `text`; the dead that nobody has reaped show none. */
function processesNaming(text: string): string[] {
  const lines = execFileSync('ps', ['-eo', 'args']).toString().split('\n');
  return lines.filter((line) => line.includes(text));
}

describe('a private broker', () => {
  it('serves its own user only and goes, with all it brought, when its launcher is killed', async () => {
    const temp = mkdtempSync(path.join(tmpdir(), 'dmr-launcher-'));
    const { launcher, env } = await launch(temp);
    const at = { hostname: env['DMR_TEST_AMQP_HOST'], port: Number(env['DMR_TEST_AMQP_PORT']) };
    const login = { username: env['DMR_TEST_AMQP_USER'], password: env['DMR_TEST_AMQP_PASS'] };

    await expect(connect({ ...at, username: 'guest', password: 'guest' })).rejects.toThrow(/ACCESS-REFUSED/);
    const connection = await connect({ ...at, ...login });
    connection.on('error', () => {}); // it is about to lose its broker
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('q', { arguments: { 'x-queue-type': 'quorum' } });
    channel.sendToQueue('q', Buffer.from('hello'), { persistent: true });
    await channel.waitForConfirms();
    expect(await channel.get('q')).toMatchObject({ content: Buffer.from('hello') });
    expect(processesNaming(temp).length).toBeGreaterThan(1);

    const lost = new Promise((resolve) => connection.once('close', resolve));
    launcher.kill('SIGKILL');
    await lost;
    await eventually(() => processesNaming(temp).length === 0);
    await eventually(() => !readdirSync(temp).some((name) => name.startsWith('dmr-')));
    await expect(connect({ ...at, ...login })).rejects.toThrow(/ECONNREFUSED/);
    rmSync(temp, { recursive: true });
  });
});
