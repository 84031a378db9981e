import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { nodeEnv, nodeIdentity, writeNodeFiles } from '../../../scripts/lib/broker/node-files';
import { temporaryFolder } from '../../helpers/temporary-folder';

const ports = { amqp: 1, management: 2, prometheus: 3, dist: 4, epmd: 5 };

describe('a private node', () => {
  it('keeps its name and password with its data, and shares them with no other', () => {
    const dir = temporaryFolder();
    const identity = nodeIdentity(dir);
    expect(nodeIdentity(dir)).toEqual(identity);
    expect(nodeIdentity(temporaryFolder()).name).not.toBe(identity.name);
    expect(nodeIdentity(temporaryFolder()).password).not.toBe(identity.password);
  });

  it('has secrets in files of its owner only', () => {
    const dir = temporaryFolder();
    writeNodeFiles(dir, nodeIdentity(dir), ports, false);
    for (const file of ['identity.json', '.erlang.cookie', 'rabbitmq.conf']) {
      expect(statSync(path.join(dir, file)).mode & 0o077).toBe(0);
    }
  });

  it('listens on this machine only and knows no guest', () => {
    const dir = temporaryFolder();
    const identity = nodeIdentity(dir);
    writeNodeFiles(dir, identity, ports, false);
    const conf = readFileSync(path.join(dir, 'rabbitmq.conf'), 'utf8');
    expect(conf).toContain('listeners.tcp.default = 127.0.0.1:1\n');
    expect(conf).toContain('management.tcp.ip = 127.0.0.1\n');
    expect(conf).toContain('prometheus.tcp.ip = 127.0.0.1\n');
    expect(conf).toContain(`default_user = dmr\ndefault_pass = ${identity.password}\n`);
  });

  it('has the plugins that count: management and prometheus', () => {
    const dir = temporaryFolder();
    writeNodeFiles(dir, nodeIdentity(dir), ports, false);
    const plugins = readFileSync(path.join(dir, 'enabled_plugins'), 'utf8');
    expect(plugins).toBe('[rabbitmq_management,rabbitmq_prometheus].\n');
    expect(readFileSync(path.join(dir, 'rabbitmq.conf'), 'utf8')).toContain('prometheus.tcp.port = 3\n');
  });

  it("takes over nothing of the machine's own RabbitMQ or Erlang", () => {
    const dir = temporaryFolder();
    const env = nodeEnv(dir, nodeIdentity(dir), ports, {
      PATH: '/bin',
      RABBITMQ_NODE_PORT: '5672',
      ERL_FLAGS: '-x',
      HOME: '/root',
    });
    expect(env).toMatchObject({ PATH: '/bin', HOME: dir, RABBITMQ_CONF_ENV_FILE: '/dev/null', ERL_EPMD_PORT: '5' });
    expect(env).not.toHaveProperty('RABBITMQ_NODE_PORT');
    expect(env).not.toHaveProperty('ERL_FLAGS');
  });
});
