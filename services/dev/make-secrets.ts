import { createPublicKey, generateKeyPair, randomBytes } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';
import { renderDefinitions } from '../../lib/setup/render-definitions';
import { readSecret, writeSecret } from '../../lib/setup/secret-files';

/** Erlang takes a cookie that nobody but its own user can read. */
const OWNER_ALONE = 0o400;
const KEY_BITS = 2048;

/**
 * Makes every secret of `docker compose up` in sub-folders of `root`, one for each service that reads them; what is there
 * stays, so that it can run at each start.
 * @param definitions the file with RabbitMQ's users
 */
export async function makeSecrets(root: string, definitions: string): Promise<void> {
  const at = (...names: string[]) => path.join(root, ...names);
  for (const agent of ['agent-a', 'agent-b']) {
    const key = await kept(at(agent, 'private-key.pem'), privateKey);
    const publicKey = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
    writeSecret(at('centops', `${agent}.pem`), publicKey);
  }
  const password = await kept(at('rabbitmq', 'dmr-server'), randomText);
  writeSecret(at('server', 'rabbitmq-password'), password);
  await kept(at('rabbitmq', 'dmr-monitor'), randomText);
  await kept(at('rabbitmq', '.erlang.cookie'), randomText, OWNER_ALONE);
  await kept(at('grafana', 'admin-password'), randomText);
  // Each time: another version may bring other rights.
  writeSecret(at('rabbitmq', 'definitions.json'), renderDefinitions(definitions, at('rabbitmq')));
}

async function kept(file: string, make: () => string | Promise<string>, mode?: number): Promise<string> {
  const known = readSecret(file);
  if (known !== undefined) return known;
  const made = await make();
  writeSecret(file, made, mode);
  return made;
}

const randomText = () => randomBytes(24).toString('hex');

async function privateKey(): Promise<string> {
  const { privateKey: key } = await promisify(generateKeyPair)('rsa', { modulusLength: KEY_BITS });
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

if (require.main === module) {
  const [root = '/secrets', definitions = 'rabbitmq/definitions.json'] = process.argv.slice(2);
  void makeSecrets(root, definitions);
}
