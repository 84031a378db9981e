import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { startPrivateNode } from '../../../scripts/lib/broker/private-node';
import { temporaryFolder } from '../../helpers/temporary-folder';

describe('a private node that does not come up', () => {
  const programs = temporaryFolder();

  function program(name: string, script: string): string {
    const file = path.join(programs, name);
    writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return file;
  }

  it('says why, and leaves neither folder nor process', async () => {
    const dataDir = path.join(temporaryFolder(), 'broker');
    const installed = {
      epmd: program('epmd', 'while :; do sleep 0.1; done'),
      server: program('server', 'echo BOOT FAILED; exit 1'),
    };
    const options = { dataDir, throwAway: true, say: () => {}, interactive: false, env: process.env };
    await expect(startPrivateNode(installed, options)).rejects.toThrow(/ended before it answered[^]*BOOT FAILED/);
    expect(existsSync(dataDir)).toBe(false);
    expect(spawnSync('pgrep', ['-f', programs]).stdout.toString()).toBe('');
  });
});
