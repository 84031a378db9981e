/**
 * Keeps a broker up until this process ends, for tests run by hand: `npx tsx scripts/broker.ts [data folder]`, then load
 * the printed lines into another shell and run `npx jest --watch` there.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { provideBroker } from './lib/broker/provide-broker';
import { testEnv } from './lib/test-env';

async function main(dataDir = process.argv[2]): Promise<void> {
  const broker = await provideBroker({
    dataDir: dataDir ?? mkdtempSync(path.join(tmpdir(), 'dmr-broker-')),
    throwAway: !dataDir,
    say: (line) => console.error(line),
    interactive: false,
    env: process.env,
  });
  for (const [name, value] of Object.entries(testEnv(broker))) console.log(`export ${name}='${value}'`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end());
  const awake = setInterval(() => {}, 1 << 30);
  const end = async () => {
    clearInterval(awake);
    await broker.stop();
  };
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
