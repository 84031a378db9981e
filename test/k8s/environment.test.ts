import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import { loadAgentConfig, loadServerConfig, type AgentConfig, type ServerConfig } from '../../lib/config';
import { fileVariable } from '../../lib/config/from-file';
import type { Variables } from '../../lib/config/variable';
import { VARIABLES } from '../../lib/config/variables';
import { makeIdentity } from '../helpers/keys';
import { environmentOf } from '../helpers/manifest-environment';
import { ofKind, OVERLAYS, renderOverlays, workloads, type Manifest, type Overlay } from '../helpers/manifests';
import { temporaryFolder } from '../helpers/temporary-folder';

const DEFINITIONS = path.join(__dirname, '../../rabbitmq/definitions.json');

const folder = temporaryFolder();
const SECRETS: Record<string, string> = {
  'ca.crt': 'read by Node.js as it starts',
  password: 'a password',
  'private.pem': makeIdentity('Police').privateKeyPem,
};

/** A file as the kubelet would put it into the pod; none for a key that no Secret has. */
function secretFile(file: string): string {
  const here = path.join(folder, path.basename(file));
  const content = SECRETS[path.basename(file)];
  if (content !== undefined) writeFileSync(here, content);
  return here;
}

const roleOf = (overlay: Overlay) => (overlay === 'agent' ? 'agent' : 'server');

/** Every name that a role reads, files included. */
function namesOf(role: 'agent' | 'server'): string[] {
  const variables: Variables = { ...VARIABLES.process, ...VARIABLES[role] };
  return Object.entries(variables).flatMap(([name, variable]) => [name, fileVariable(name, variable) ?? name]);
}

let rendered: Record<Overlay, Manifest[]>;
beforeAll(async () => void (rendered = await renderOverlays()));
const podOf = (overlay: Overlay) => workloads(rendered[overlay])[0]?.template.spec as IPodSpec;
const environment = (overlay: Overlay) => environmentOf(rendered[overlay], podOf(overlay), secretFile);

describe.each(OVERLAYS)('the environment of %s', (overlay) => {
  it('has only variables that its process reads', () => {
    const known = namesOf(roleOf(overlay));
    expect(Object.keys(environment(overlay)).filter((name) => !known.includes(name))).toEqual([]);
  });

  it('is one that the process starts with, in production', () => {
    const env = environment(overlay);
    const config: ServerConfig | AgentConfig = overlay === 'agent' ? loadAgentConfig(env) : loadServerConfig(env);
    expect(config).toMatchObject({ environment: 'production', logger: { format: 'json' } });
  });

  it('has the ports of the container', () => {
    const { PORT, METRICS_PORT } = environment(overlay);
    const ports = podOf(overlay).containers[0]?.ports?.map(({ name, containerPort }) => [name, String(containerPort)]);
    expect(Object.fromEntries(ports ?? [])).toEqual({ http: PORT, metrics: METRICS_PORT });
  });
});

describe.each(['dev', 'production'] as const)('the servers of %s', (overlay) => {
  it('know every node of RabbitMQ by its name, encrypted', () => {
    const [cluster] = ofKind<{ spec: { replicas: number } }>(rendered[overlay], 'RabbitmqCluster');
    const { name, namespace } = cluster?.metadata ?? {};
    const nodes = Array.from({ length: cluster?.spec.replicas ?? 0 }, (_none, index) => index);
    const { amqp } = loadServerConfig(environment(overlay));
    expect(amqp.hosts).toEqual(
      nodes.map((index) => ({ host: `${name}-server-${index}.${name}-nodes.${namespace}.svc`, port: 5671 })),
    );
    expect(amqp.tls).toBeDefined();
  });

  it('log in as a user that the definitions give rights in the virtual host', () => {
    const { permissions } = JSON.parse(readFileSync(DEFINITIONS, 'utf8')) as {
      permissions: { user: string; vhost: string }[];
    };
    const { amqp } = loadServerConfig(environment(overlay));
    expect(permissions).toContainEqual(expect.objectContaining({ user: amqp.user, vhost: amqp.vhost }));
  });
});
