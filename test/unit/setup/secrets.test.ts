import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { passwordHash, withPasswords, type BrokerDefinitions } from '../../../lib/setup/broker-definitions';
import { makeSecrets } from '../../../services/dev/make-secrets';
import { temporaryFolder } from '../../helpers/temporary-folder';

const DEFINITIONS = path.join(__dirname, '../../../rabbitmq/definitions.json');
const committed = () => JSON.parse(readFileSync(DEFINITIONS, 'utf8')) as BrokerDefinitions;

describe('the hash of a password', () => {
  it("is that of RabbitMQ's documentation", () => {
    const hash = passwordHash('test12', Buffer.from('908DC60A', 'hex'));
    expect(hash).toBe('kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR');
  });

  it('is another each time', () => {
    expect(passwordHash('x')).not.toBe(passwordHash('x'));
  });
});

describe('the definitions of RabbitMQ', () => {
  it('are committed without any password or hash', () => {
    expect(readFileSync(DEFINITIONS, 'utf8')).not.toMatch(/pass|hash/i);
  });

  it('get a hash for every user and stay what they are otherwise', () => {
    const { users, ...others } = withPasswords(committed(), (user) => `of ${user}`);
    expect(others).toEqual({ ...committed(), users: undefined });
    expect(users.map(({ name }) => name)).toEqual(['dmr-server', 'dmr-monitor']);
    for (const { name, password_hash: hash } of users) {
      const salt = Buffer.from(hash ?? '', 'base64').subarray(0, 4);
      expect(hash).toBe(passwordHash(`of ${name}`, salt));
    }
  });

  it('are refused while a user has no password', () => {
    expect(() => withPasswords(committed(), () => undefined)).toThrow("no password for RabbitMQ's user dmr-server");
  });
});

describe('the secrets of docker compose', () => {
  const FOLDERS = ['agent-a', 'agent-b', 'centops', 'grafana', 'rabbitmq', 'server'];
  const root = temporaryFolder();
  const files = () =>
    Object.fromEntries(
      FOLDERS.flatMap((folder) => readdirSync(path.join(root, folder)).map((name) => `${folder}/${name}`)).map(
        (file) => [file, readFileSync(path.join(root, file), 'utf8')],
      ),
    );

  beforeAll(() => {
    for (const folder of FOLDERS) mkdirSync(path.join(root, folder));
  });

  it('are made once and kept', async () => {
    await makeSecrets(root, DEFINITIONS);
    const { 'rabbitmq/definitions.json': definitions, ...made } = files();
    expect(Object.keys(made)).toEqual([
      'agent-a/private-key.pem',
      'agent-b/private-key.pem',
      'centops/agent-a.pem',
      'centops/agent-b.pem',
      'grafana/admin-password',
      'rabbitmq/.erlang.cookie',
      'rabbitmq/dmr-monitor',
      'rabbitmq/dmr-server',
      'server/rabbitmq-password',
    ]);
    expect(made['server/rabbitmq-password']).toBe(made['rabbitmq/dmr-server']);
    expect(definitions).toContain('password_hash');
    await makeSecrets(root, DEFINITIONS);
    expect(files()).toMatchObject(made);
  });

  it('are for nobody else to read, the cookie of Erlang for its owner alone', () => {
    const mode = (file: string) => statSync(path.join(root, file)).mode & 0o777;
    for (const file of Object.keys(files())) {
      expect([file, mode(file)]).toEqual([file, file === 'rabbitmq/.erlang.cookie' ? 0o400 : 0o440]);
    }
  });
});
