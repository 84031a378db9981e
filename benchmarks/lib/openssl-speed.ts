import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

/** Short beside the time in which a shared core changes its speed, ms. */
const TURN_MS = 40;
/** What `openssl speed -mr` prints as it begins with the private operation, and when it ends: `+R1:<count>:<bits>:<s>`. */
const BEGUN = '+DTP:2048:private:rsa:';
const ENDED = /^\+R1:(\d+):2048:([\d.]+)$/m;

/**
 * What one private operation of RSA with 2048 bits takes OpenSSL, µs of CPU, while `work` is done in turns with it: a core
 * that others share may be a third faster in one second than in the next, and both sides must have the same seconds.
 * Throws where there is no OpenSSL.
 */
export async function besideOpenssl(seconds: number, work: () => Promise<void>): Promise<number> {
  const openssl = spawn('openssl', ['speed', '-mr', '-seconds', String(seconds), 'rsa2048'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  let over = false;
  openssl.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  for (const event of ['error', 'exit']) openssl.on(event, () => (over = true));
  try {
    while (!over && !ENDED.test(said)) {
      await delay(TURN_MS);
      if (!said.includes(BEGUN)) continue;
      openssl.kill('SIGSTOP');
      await work();
      openssl.kill('SIGCONT');
    }
  } finally {
    openssl.kill('SIGKILL'); // the public operation comes next, which nobody asked for
  }
  const [, count, time] = ENDED.exec(said) ?? [];
  if (count === undefined) throw new Error('"openssl speed rsa2048" printed no figure; install openssl');
  return (Number(time) * 1e6) / Number(count);
}
