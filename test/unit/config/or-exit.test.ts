import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { orExit } from '../../../lib/config';
import { serverEnv, type Env } from './environments';

const ROOT = join(__dirname, '../../..');
const TSX = join(ROOT, 'node_modules/tsx/dist/cli.mjs');
const PROGRAM = `
  const { orExit, serverConfig } = require('./lib/config');
  process.stdout.write(String(orExit(serverConfig).port));
`;

function start(env: Env) {
  return spawnSync(process.execPath, [TSX, '-e', PROGRAM], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  });
}

describe('a process that is configured wrongly', () => {
  it('says so in one line and exits with 78', () => {
    const { status, stdout, stderr } = start({ RABBITMQ_DEFAULT_PORT: 'abc', PORT: 'x' });
    expect({ status, stdout }).toEqual({ status: 78, stdout: '' });
    expect(stderr).toBe('PORT: wants a whole number from 0 to 65535, got "x"\n');
  }, 30000);

  it('runs when everything is right', () => {
    const { status, stdout, stderr } = start(serverEnv({ PORT: '1234' }));
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '1234', stderr: '' });
  }, 30000);
});

describe('orExit', () => {
  it('returns what was loaded', () => {
    expect(orExit(() => 7)).toBe(7);
  });

  it('lets other errors through', () => {
    const bug = new Error('a bug');
    const load = () => {
      throw bug;
    };
    expect(() => orExit(load)).toThrow(bug);
  });
});
