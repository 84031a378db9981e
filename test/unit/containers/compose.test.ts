import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import {
  loadAgentConfig,
  loadCentOpsStandInConfig,
  loadChatbotStandInConfig,
  loadServerConfig,
} from '../../../lib/config';
import { fileVariable } from '../../../lib/config/from-file';
import type { Variable } from '../../../lib/config/variable';
import { VARIABLES } from '../../../lib/config/variables';
import { makeSecrets } from '../../../services/dev/make-secrets';
import {
  envFileOf,
  isInProject,
  mountedFiles,
  neededBy,
  readCompose,
  targetOf,
  type ComposeService,
} from '../../helpers/compose';
import { stagesOf } from '../../helpers/dockerfile';
import { temporaryFolder } from '../../helpers/temporary-folder';

const ROOT = path.join(__dirname, '../../..');
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const compose = readCompose();
const { services } = compose;
const everything = readCompose({ ...envFileOf('cluster.env'), ...envFileOf('observability.env') });
const each = Object.entries(services);
const ours = each.filter(([, service]) => targetOf(service, compose));

/** What Compose knows (Compose Specification, "Services") and we use: a misspelt key would be refused or do nothing. */
const KEYS = `build cap_drop command depends_on environment group_add healthcheck hostname image init logging mem_limit
  network_mode networks ports profiles pull_policy read_only restart security_opt stop_grace_period tmpfs user volumes`.split(
  /\s+/,
);

const roleOf = (service: ComposeService) =>
  (service.environment?.['DMR_ROLE'] ?? targetOf(service, compose)) as 'server' | 'agent' | 'centops' | 'chatbot';

describe('docker compose', () => {
  it.each(each)('%s has only keys that Compose knows', (_, service) => {
    expect(Object.keys(service).filter((key) => !KEYS.includes(key))).toEqual([]);
  });

  it.each(each)('%s gets a read-only root, no capability and no new privileges', (_, service) => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      init: true,
      tmpfs: ['/tmp'],
    });
    expect(service).not.toHaveProperty('privileged');
    expect(service).not.toHaveProperty('cap_add');
  });

  it.each(each.filter(([, service]) => !targetOf(service, compose)))(
    '%s is an image with the whole of its version',
    (_, { image }) => {
      expect(image).toMatch(/:v?\d+\.\d+\.\d+(-\w+)?$/);
    },
  );

  it.each(ours)('%s is a target of the Dockerfile', (_, service) => {
    expect(stagesOf(read('Dockerfile')).map(({ name }) => name)).toContain(targetOf(service, compose));
  });

  it('has each image built once: two builds of one name at a time may fail', () => {
    const built = ours.filter(([, { build }]) => build).map(([, { image }]) => image);
    expect(built.sort()).toEqual(['dmr-agent', 'dmr-demo', 'dmr-server']);
  });

  it.each(ours)('%s has its image, also when it is started alone', (name, { image, build, pull_policy: pull }) => {
    if (build) return;
    expect(pull).toBe('never'); // nobody else's image of that name
    const builders = [...neededBy(name, compose)].filter((other) => services[other]?.build);
    expect(builders.map((other) => services[other]?.image)).toContain(image);
  });

  it.each(each)('%s waits only for what can say that it is ready', (_, { depends_on = {}, profiles = [], image }) => {
    for (const [name, { condition, required = true }] of Object.entries(depends_on)) {
      const other = services[name];
      // A service that builds the image is waited for only until it has.
      if (condition === 'service_started') expect([other?.image, !!other?.build]).toEqual([image, true]);
      else if (condition === 'service_healthy') expect(other?.healthcheck?.test?.[0]).toBe('CMD');
      else expect([condition, other?.restart]).toEqual(['service_completed_successfully', 'no']);
      // Of what is not always there nobody may need it who is.
      if (other?.profiles) expect(required && !profiles.includes(other.profiles[0] ?? '')).toBe(false);
    }
  });

  it('has the ports of the deployed system, and only for this machine', () => {
    const ports = each.flatMap(([name, service]) => (service.ports ?? []).map((port) => [name, port]));
    expect(ports).toEqual([
      ['rabbitmq', '127.0.0.1:8070:5672'],
      ['rabbitmq', '127.0.0.1:8071:15672'],
      ['server', '127.0.0.1:8072:8075'],
      ['agent-a', '127.0.0.1:8073:8077'],
      ['agent-b', '127.0.0.1:8074:8077'],
      ['chatbot-a', '127.0.0.1:8075:8090'],
      ['chatbot-b', '127.0.0.1:8076:8090'],
      ['prometheus', '127.0.0.1:9090:9090'],
      ['grafana', '127.0.0.1:3000:3000'],
    ]);
  });

  it('has every file that it mounts', () => {
    const files = [...mountedFiles(compose), ...mountedFiles(everything)];
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((file) => !isInProject(file))).toEqual([]);
  });

  it('has every volume and every network that a service names, and no other', () => {
    const named = each.flatMap(([, { volumes = [] }]) => volumes.map((mount) => mount.split(':')[0] as string));
    const volumes = new Set(named.filter((source) => /^[a-z]/.test(source)));
    expect([...volumes].sort()).toEqual(Object.keys(compose.volumes).sort());
    const networks = new Set(each.flatMap(([, service]) => service.networks ?? []));
    expect([...networks].sort()).toEqual(Object.keys(compose.networks).sort());
  });

  it('hands each secret to setup and to one kind of service, which cannot change it', () => {
    const readers = new Map<string, string[]>();
    for (const [name, { volumes = [] }] of each) {
      for (const mount of volumes.filter((each) => /-secrets:/.test(each) && name !== 'setup')) {
        const [volume = '', target, mode] = mount.split(':');
        expect([target, mode]).toEqual(['/run/dmr', 'ro']);
        readers.set(volume, [...(readers.get(volume) ?? []), name.replace(/-\d$/, '')]);
      }
    }
    for (const [volume, names] of readers) expect(new Set(names)).toEqual(new Set([volume.replace('-secrets', '')]));
  });

  it('has the agents that the demo has', () => {
    for (const name of ['agent-a', 'agent-b']) {
      expect(read('scripts/demo/plan.ts')).toContain(services[name]?.environment?.['AGENT_ID'] ?? 'nothing');
    }
  });
});

describe('the variables of a service', () => {
  const root = temporaryFolder();

  beforeAll(async () => {
    for (const mount of services['setup']?.volumes ?? [])
      mkdirSync(path.join(root, mount.split(':/secrets/')[1] ?? ''));
    await makeSecrets(root, path.join(ROOT, 'rabbitmq/definitions.json'));
  });

  const isNode = ([name, service]: [string, ComposeService]) => targetOf(service, compose) && name !== 'setup';
  const nodes = Object.entries(everything.services).filter(isNode);

  it.each(nodes)('%s: are all known', (_, service) => {
    const variables: Record<string, Variable> = { ...VARIABLES.process, ...VARIABLES[roleOf(service)] };
    const known = Object.entries(variables).flatMap(([name, variable]) => [name, fileVariable(name, variable)]);
    expect(Object.keys(service.environment ?? {}).filter((name) => !known.includes(name))).toEqual([]);
  });

  const load = {
    server: loadServerConfig,
    agent: loadAgentConfig,
    centops: loadCentOpsStandInConfig,
    chatbot: loadChatbotStandInConfig,
  };
  const forms = [...nodes, ...each.filter(isNode)];

  it.each(forms)('%s: make a configuration, with the secrets that setup makes', (_, service) => {
    const secrets = path.join(
      root,
      service.volumes?.find((each) => each.includes('-secrets'))?.split('-secrets')[0] ?? '',
    );
    const at = (value: string) => value.replace('/run/dmr', secrets);
    const given = Object.entries(service.environment ?? {}).map(([name, value]) => [name, at(value)]);
    const isStandIn = targetOf(service, compose) === 'demo';
    const env = {
      ENVIRONMENT: isStandIn ? 'development' : 'production',
      ...Object.fromEntries(given),
    } as NodeJS.ProcessEnv;
    expect(load[roleOf(service)](env)).toMatchObject({ environment: env['ENVIRONMENT'] });
  });
});

describe('the files in docker/', () => {
  it.each(['cluster.env', 'observability.env'])('%s sets only what docker-compose.yml takes', (file) => {
    const taken = [...read('docker-compose.yml').matchAll(/\$\{(\w+)/g)].map(([, name]) => name);
    expect(Object.keys(envFileOf(file)).filter((name) => !taken.includes(name))).toEqual([]);
  });

  it('form a cluster of the nodes that servers are told of', () => {
    const nodes = [...read('docker/rabbitmq-cluster.conf').matchAll(/= rabbit@(\S+)/g)].map(([, host]) => host);
    expect(nodes).toEqual(everything.services['server']?.environment?.['RABBITMQ_DEFAULT_HOST']?.split(','));
    for (const host of nodes) expect(services[host as string]?.['hostname']).toBe(host);
  });

  it('balance over the servers', () => {
    const servers = [...read('docker/haproxy.cfg').matchAll(/^ {2}server \S+ (\S+):8075$/gm)].map(([, host]) => host);
    expect(servers).toEqual(['server', 'server-2']);
  });

  it.each(['otel-collector', 'tempo', 'loki', 'grafana-datasources'])(
    '%s.yml names only services that are there',
    (file) => {
      const text = read(`docker/${file}.yml`);
      expect(parse(text)).toEqual(expect.any(Object));
      const hosts = [...text.matchAll(/http:\/\/([\w-]+):/g)].map(([, host]) => host);
      expect(hosts.filter((host) => !services[host as string])).toEqual([]);
    },
  );

  it('Prometheus scrapes services that are there', () => {
    const hosts = [...read('monitoring/prometheus.yml').matchAll(/'([\w-]+):\d+'/g)].map(([, host]) => host as string);
    expect(hosts.filter((host) => !services[host] && host !== 'alertmanager')).toEqual([]);
  });
});
