import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runDmr } from './run-dmr';
import { temporaryFolder } from './temporary-folder';
import type { TestAmqp, TestVhost } from './rabbitmq';

const DEFINITIONS = path.join(__dirname, '../../rabbitmq/definitions.json');

/** The users that a deployment has, in the vhost of a test. */
export interface DeployedUsers {
  /** Signs in as dmr-server. */
  server: TestAmqp;
  /** Signs in as dmr-monitor. */
  monitor: TestAmqp;
}

/**
 * Loads our definitions into a broker as a deployment does, but for the vhost of the test and for users with names of
 * their own: a broker that a developer has configured may have the real ones.
 */
export async function importDefinitions({ vhost, amqp, management }: TestVhost): Promise<DeployedUsers> {
  const folder = temporaryFolder();
  const named = (user: string) => `${vhost}-${user}`;
  const text = readFileSync(DEFINITIONS, 'utf8')
    .replaceAll('"dmr"', JSON.stringify(vhost))
    .replaceAll(/"(dmr-server|dmr-monitor)"/g, (_, user: string) => JSON.stringify(named(user)));
  const [source, passwords, output] = ['source.json', 'passwords', 'definitions.json'].map((name) =>
    path.join(folder, name),
  ) as [string, string, string];
  writeFileSync(source, text);
  mkdirSync(passwords);
  const user = (name: string) => ({ ...amqp, user: named(name), password: `${name}: p/a@s%s?#:ü€😀` });
  const users = { server: user('dmr-server'), monitor: user('dmr-monitor') };
  for (const { user: name, password } of Object.values(users))
    writeFileSync(path.join(passwords, name), `${password}\n`);
  const args = ['broker', 'definitions', '--definitions', source, '--passwords', passwords, '--out', output];
  expect(await runDmr(args)).toEqual({ code: 0, out: '', err: '' });
  await management.request('POST', 'definitions', JSON.parse(readFileSync(output, 'utf8')));
  return users;
}

/** Takes the users away again; the vhost goes with its test. */
export async function removeUsers({ management }: TestVhost, users: DeployedUsers): Promise<void> {
  for (const { user } of Object.values(users)) await management.request('DELETE', `users/${user}`);
}
