import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import { loadServerConfig } from '../../lib/config';
import { environmentOf } from '../helpers/manifest-environment';
import { ofKind, OVERLAYS, renderOverlays, workloads, type Manifest, type Overlay } from '../helpers/manifests';

const README = readFileSync(path.join(__dirname, '../../k8s/README.md'), 'utf8');

/** Secrets that the README makes, with their keys, by the namespace. */
function documentedSecrets(namespace: string): string[] {
  const commands = README.matchAll(/^kubectl -n (\S+) create secret (generic|tls) (\S+)(.*)$/gm);
  return [...commands]
    .filter(([, where]) => where === namespace)
    .flatMap(([, , kind, name, rest = '']) => {
      const keys =
        kind === 'tls' ? ['tls.crt', 'tls.key'] : [...rest.matchAll(/--from-file=([\w.-]+)/g)].map(([, key]) => key);
      return [`${name}`, ...keys.map((key) => `${name}/${key}`)];
    });
}

/** Fields that name an object of a kind, and at times its keys. */
const NAMING: Record<string, Reference['kind']> = {
  secret: 'Secret',
  secretRef: 'Secret',
  secretKeyRef: 'Secret',
  configMap: 'ConfigMap',
  configMapRef: 'ConfigMap',
  configMapKeyRef: 'ConfigMap',
};

interface Reference {
  kind: 'Secret' | 'ConfigMap';
  /** With the key behind a slash, where one is wanted. */
  name: string;
}

/** Every Secret and ConfigMap that is named anywhere in an object. */
function references(value: unknown): Reference[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([field, child]) => [...namedBy(field, child), ...references(child)]);
}

function namedBy(field: string, value: unknown): Reference[] {
  if (field === 'secretName') return [{ kind: 'Secret', name: value as string }];
  const kind = NAMING[field];
  if (!kind) return [];
  const {
    key,
    items = [],
    ...named
  } = value as { name?: string; secretName?: string; key?: string; items?: { key: string }[] };
  const name = named.name ?? named.secretName ?? '';
  const keys = [...(key === undefined ? [] : [key]), ...items.map((item) => item.key)];
  return [{ kind, name }, ...keys.map((one) => ({ kind, name: `${name}/${one}` }))];
}

let rendered: Record<Overlay, Manifest[]>;
beforeAll(async () => void (rendered = await renderOverlays()));

describe.each(OVERLAYS)('the overlay %s', (overlay) => {
  const specs = () =>
    workloads(rendered[overlay]).map(({ template }) => template.spec as IPodSpec & { securityContext: object });

  it('runs nothing with more rights than it needs', () => {
    expect(specs()).toHaveLength(1);
    for (const spec of specs()) {
      expect(spec.automountServiceAccountToken).toBe(false);
      expect(spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 10001,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const key of ['hostNetwork', 'hostPID', 'hostIPC'] as const) expect(spec[key]).toBeUndefined();
      expect((spec.volumes ?? []).filter(({ hostPath }) => hostPath)).toEqual([]);
      for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources).toMatchObject({
          requests: { cpu: expect.anything() as unknown, memory: expect.anything() as unknown },
          limits: { memory: expect.anything() as unknown },
        });
      }
    }
  });

  it('is in a namespace that takes nothing else', () => {
    const [namespace] = ofKind(rendered[overlay], 'Namespace');
    expect(namespace?.metadata.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  });

  it('names no Secret that the README does not make, and no ConfigMap that is not there', () => {
    const namespace = ofKind(rendered[overlay], 'Namespace')[0]?.metadata.name ?? '';
    const known = {
      Secret: documentedSecrets(namespace),
      ConfigMap: ofKind<{ data: object }>(rendered[overlay], 'ConfigMap').flatMap(({ metadata: { name }, data }) => [
        name,
        ...Object.keys(data).map((key) => `${name}/${key}`),
      ]),
    };
    const named = rendered[overlay].flatMap(references);
    expect(named.length).toBeGreaterThan(1);
    expect(named.filter(({ kind, name }) => !known[kind].includes(name))).toEqual([]);
    expect(ofKind(rendered[overlay], 'Secret')).toEqual([]);
  });

  it('asks for health where it is answered, and for readiness on the port that is served', () => {
    for (const { ports, readinessProbe, livenessProbe, startupProbe } of specs().flatMap(
      ({ containers }) => containers,
    )) {
      const names = ports?.map(({ name }) => name);
      expect(names).toEqual(['http', 'metrics']);
      expect(readinessProbe?.httpGet).toEqual({ path: '/v1/health', port: 'http' });
      expect(livenessProbe?.httpGet).toEqual({ path: '/v1/health/live', port: 'metrics' });
      expect(startupProbe?.httpGet).toEqual({ path: '/v1/health/live', port: 'metrics' });
    }
  });
});

describe.each(['dev', 'production'] as const)('the servers of %s', (overlay) => {
  const server = () => workloads(rendered[overlay]).find(({ owner }) => owner === 'Deployment/dmr-server');

  it('are two at least, of which one may be missing', () => {
    type Scaler = {
      spec: { minReplicas: number; maxReplicas: number; scaleTargetRef: { kind: string; name: string } };
    };
    const [scaler] = ofKind<Scaler>(rendered[overlay], 'HorizontalPodAutoscaler');
    expect(scaler?.spec.scaleTargetRef).toMatchObject({ kind: 'Deployment', name: 'dmr-server' });
    expect(scaler?.spec.minReplicas).toBeGreaterThanOrEqual(2);
    expect(scaler?.spec.maxReplicas).toBeGreaterThan(scaler?.spec.minReplicas ?? 0);
    expect(server()?.replicas).toBeUndefined(); // else each apply would undo what the autoscaler decided

    type Budget = { spec: { maxUnavailable: number; selector: { matchLabels: object } } };
    const budgets = ofKind<Budget>(rendered[overlay], 'PodDisruptionBudget');
    const own = budgets.find(({ metadata }) => metadata.name === 'dmr-server');
    expect(own?.spec.maxUnavailable).toBe(1);
    expect(server()?.template.metadata?.labels).toMatchObject(own?.spec.selector.matchLabels ?? { none: true });
  });

  it('have the time to drain before they are killed', () => {
    const spec = server()?.template.spec as IPodSpec;
    const { drainTimeoutMs } = loadServerConfig(environmentOf(rendered[overlay], spec)).socket;
    const pause = spec.containers[0]?.lifecycle?.preStop as { sleep: { seconds: number } };
    const AFTER_THE_DRAIN_S = 2 + 1 + 10; // docs/reliability.md: consumers, sockets, Moleculer
    const needed = pause.sleep.seconds + drainTimeoutMs / 1000 + AFTER_THE_DRAIN_S;
    expect(pause.sleep.seconds).toBeGreaterThan(0);
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(needed);
  });
});

describe('the agent', () => {
  it('is one process for its key and its folder, and never two', () => {
    const [agent] = workloads(rendered.agent);
    expect(agent).toMatchObject({ owner: 'StatefulSet/dmr-agent', replicas: 1 });
    expect(ofKind(rendered.agent, 'HorizontalPodAutoscaler')).toEqual([]);
    type Claims = { spec: { volumeClaimTemplates: { metadata: { name: string } }[]; podManagementPolicy?: string } };
    const [{ spec } = { spec: { volumeClaimTemplates: [] } }] = ofKind<Claims>(rendered.agent, 'StatefulSet');
    // In order, a pod that never became ready is not replaced by one with a better configuration.
    expect(spec).toMatchObject({ podManagementPolicy: 'Parallel' });
    const claims = spec.volumeClaimTemplates.map(({ metadata }) => metadata.name);
    const [container] = agent?.template.spec?.containers ?? [];
    const folder = environmentOf(rendered.agent, agent?.template.spec as IPodSpec)['AGENT_DATA_DIR'];
    const mount = container?.volumeMounts?.find(({ mountPath }) => mountPath === folder);
    expect(claims).toContain(mount?.name);
  });
});
