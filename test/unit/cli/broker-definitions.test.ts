import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { passwordHash, type BrokerDefinitions } from '../../../lib/setup/broker-definitions';
import { runDmr } from '../../helpers/run-dmr';
import { temporaryFolder } from '../../helpers/temporary-folder';

const USERS = { 'dmr-server': 'ü: p/a@s%s#', 'dmr-monitor': 'another' };

describe('dmr broker definitions', () => {
  const folder = temporaryFolder();
  const file = (name: string) => path.join(folder, name);
  const passwords = file('passwords');
  const run = (...args: string[]) => runDmr(['broker', 'definitions', ...args]);

  beforeAll(() => {
    mkdirSync(passwords);
    for (const [user, password] of Object.entries(USERS)) writeFileSync(path.join(passwords, user), `${password}\n`);
    writeFileSync(path.join(passwords, 'binary'), 'a\0b');
  });

  it("puts the hashes of all passwords into this package's own definitions", async () => {
    const out = file('definitions.json');
    for (let time = 0; time < 2; time += 1) {
      expect(await run('--passwords', passwords, '--out', out)).toEqual({ code: 0, out: '', err: '' });
    }
    const { users, vhosts } = JSON.parse(readFileSync(out, 'utf8')) as BrokerDefinitions;
    expect(vhosts).toEqual([expect.objectContaining({ name: 'dmr' })]);
    for (const { name, password_hash: hash = '' } of users)
      expect(hash).toBe(passwordHash(USERS[name as keyof typeof USERS], Buffer.from(hash, 'base64').subarray(0, 4)));
    expect(users.map(({ name }) => name)).toEqual(Object.keys(USERS));
    expect(statSync(out).mode & 0o777).toBe(0o440);
  });

  it('prints them where there is no folder to write to', async () => {
    const { code, out } = await run('--passwords', passwords, '--out', '-');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toHaveProperty('users.1.password_hash');
  });

  it.each<[string, () => string[], number, string]>([
    ['no folder of passwords', () => ['--out', '-'], 64, '--passwords is missing'],
    ['no output', () => ['--passwords', passwords], 64, '--out is missing'],
    ['no password', () => ['--passwords', folder, '--out', '-'], 66, "no password for RabbitMQ's user dmr-server"],
    [
      'a password that no login can carry',
      () => ['--passwords', passwords, '--out', '-', '--definitions', made({ users: [{ name: 'binary' }] })],
      65,
      "password of RabbitMQ's user binary has a zero byte",
    ],
    [
      'a folder for a password',
      () => ['--passwords', passwords, '--out', '-', '--definitions', made({ users: [{ name: '.' }] })],
      66,
      'passwords cannot be read',
    ],
    [
      'no definitions',
      () => ['--passwords', passwords, '--out', '-', '--definitions', file('nowhere')],
      66,
      'nowhere cannot be read',
    ],
    ['no JSON', () => ['--passwords', passwords, '--out', '-', '--definitions', made('{')], 65, 'is no JSON'],
    ['no users', () => ['--passwords', passwords, '--out', '-', '--definitions', made({})], 65, 'no list of users'],
    ['null', () => ['--passwords', passwords, '--out', '-', '--definitions', made('null')], 65, 'no list of users'],
    ['no place', () => ['--passwords', passwords, '--out', file('nowhere/x.json')], 73, 'name a file that can'],
  ])('ends with a word about %s', async (_, args, code, why) => {
    const result = await run(...args());
    expect(result).toEqual({ code, out: '', err: expect.stringContaining(why) as string });
  });

  function made(content: unknown): string {
    writeFileSync(file('source.json'), typeof content === 'string' ? content : JSON.stringify(content));
    return file('source.json');
  }
});
