import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ofKind, OVERLAYS, renderOverlays, workloads, type Manifest, type Overlay } from '../helpers/manifests';

type Labels = Record<string, string>;
interface Selector {
  matchLabels?: Labels;
}
interface Port {
  port: number;
  endPort?: number;
}
interface Peer {
  podSelector?: Selector;
  namespaceSelector?: Selector;
  ipBlock?: { cidr: string };
}
interface Policy {
  spec: {
    podSelector: Selector;
    policyTypes: string[];
    ingress?: { from?: Peer[]; ports: Port[] }[];
    egress?: { to?: Peer[]; ports: Port[] }[];
  };
}
interface Pods {
  labels: Labels;
  ports: { name: string; containerPort: number }[];
}

/** What the RabbitMQ Cluster Operator 2.22 names in its pods with TLS alone, and what RabbitMQ's nodes speak among themselves. */
const RABBITMQ: Pods = {
  labels: { 'app.kubernetes.io/name': 'rabbitmq', 'app.kubernetes.io/component': 'rabbitmq' },
  ports: [
    { name: 'epmd', containerPort: 4369 },
    { name: 'amqps', containerPort: 5671 },
    { name: 'management-tls', containerPort: 15671 },
    { name: 'prometheus-tls', containerPort: 15691 },
    { name: 'distribution', containerPort: 25672 },
    { name: 'tools', containerPort: 35672 },
  ],
};
/** Plugins that the operator switches on by itself. */
const OPERATORS_PLUGINS = ['rabbitmq_management', 'rabbitmq_peer_discovery_k8s', 'rabbitmq_prometheus'];

const matches = ({ matchLabels = {} }: Selector, labels: Labels) =>
  Object.entries(matchLabels).every(([name, value]) => labels[name] === value);

let rendered: Record<Overlay, Manifest[]>;
beforeAll(async () => void (rendered = await renderOverlays()));

function podsOf(overlay: Overlay): Pods[] {
  const ours = workloads(rendered[overlay]).map(({ template }) => ({
    labels: template.metadata?.labels ?? {},
    ports: (template.spec?.containers ?? []).flatMap(({ ports = [] }) =>
      ports.map(({ name = '', containerPort }) => ({ name, containerPort })),
    ),
  }));
  return overlay === 'agent' ? ours : [...ours, RABBITMQ];
}

const policiesOf = (overlay: Overlay) => ofKind<Policy>(rendered[overlay], 'NetworkPolicy');

/** Whether any rule of the pods' own policies takes what comes from `peer` to the port. */
function lets(overlay: Overlay, to: Pods, from: Pods, port: number): boolean {
  const rules = policiesOf(overlay)
    .filter(({ spec }) => matches(spec.podSelector, to.labels))
    .flatMap(({ spec }) => spec.ingress ?? []);
  return rules.some(
    ({ from: peers = [], ports }) =>
      ports.some((one) => one.port === port) &&
      peers.some(({ podSelector }) => podSelector && matches(podSelector, from.labels)),
  );
}

describe.each(OVERLAYS)('the network of %s', (overlay) => {
  it('is closed but for what is let through', () => {
    const shut = policiesOf(overlay).find(({ metadata }) => metadata.name === 'default-deny');
    expect(shut?.spec).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    const anybody = policiesOf(overlay)
      .flatMap(({ spec }) => spec.ingress ?? [])
      .filter(({ from }) => !from?.length);
    expect(anybody).toEqual([]);
  });

  it('lets through only to pods that are there, on ports that they have', () => {
    const wrong = policiesOf(overlay).flatMap(({ metadata, spec }) => {
      const pods = podsOf(overlay).filter(({ labels }) => matches(spec.podSelector, labels));
      if (pods.length === 0) return [`${metadata.name} is about no pod`];
      const known = pods.flatMap(({ ports }) => ports.map(({ containerPort }) => containerPort));
      const ports = (spec.ingress ?? []).flatMap((rule) => rule.ports.map(({ port }) => port));
      return ports.filter((port) => !known.includes(port)).map((port) => `${metadata.name} opens ${port}`);
    });
    expect(wrong).toEqual([]);
  });

  it('lets in at one end what it lets out at the other', () => {
    const wrong = policiesOf(overlay).flatMap(({ metadata, spec }) =>
      (spec.egress ?? []).flatMap(({ to = [], ports }) =>
        to.flatMap(({ podSelector, namespaceSelector }) => {
          if (!podSelector || namespaceSelector) return [];
          const [from] = podsOf(overlay).filter(({ labels }) => matches(spec.podSelector, labels));
          const targets = podsOf(overlay).filter(({ labels }) => matches(podSelector, labels));
          if (!from || targets.length === 0) return [`${metadata.name} leads to no pod`];
          const shut = ports.filter(({ port }) => !targets.every((target) => lets(overlay, target, from, port)));
          return shut.map(({ port }) => `${metadata.name} leads to ${port}, which is shut`);
        }),
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('has a pod behind every Service, every monitor and every budget', () => {
    type Service = { spec: { selector: Labels; ports: { name: string; targetPort: string }[] } };
    type Monitor = {
      spec: { selector: Selector; podMetricsEndpoints?: { port: string }[]; endpoints?: { port: string }[] };
    };
    const portsBehind = (selector: Selector) =>
      podsOf(overlay)
        .filter(({ labels }) => matches(selector, labels))
        .flatMap(({ ports }) => ports.map(({ name }) => name));
    const services = ofKind<Service>(rendered[overlay], 'Service');
    expect(services.length).toBeGreaterThan(0);
    for (const { spec } of services) {
      for (const { targetPort } of spec.ports)
        expect(portsBehind({ matchLabels: spec.selector })).toContain(targetPort);
    }
    const monitors = ofKind<Monitor>(rendered[overlay], 'PodMonitor');
    for (const { spec } of monitors) {
      for (const { port } of spec.podMetricsEndpoints ?? []) expect(portsBehind(spec.selector)).toContain(port);
    }
    for (const { spec } of ofKind<Monitor>(rendered[overlay], 'ServiceMonitor')) {
      const seen = services.filter(({ metadata }) => matches(spec.selector, metadata.labels ?? {}));
      const names = seen.flatMap((service) => service.spec.ports.map(({ name }) => name));
      for (const { port } of spec.endpoints ?? []) expect(names).toContain(port);
    }
    for (const { spec } of ofKind<{ spec: { selector: Selector } }>(rendered[overlay], 'PodDisruptionBudget')) {
      expect(portsBehind(spec.selector)).not.toEqual([]);
    }
  });
});

describe.each(['dev', 'production'] as const)('the way in to %s', (overlay) => {
  it('is Socket.IO, and not what operators read', () => {
    type Backend = { service: { name: string; port: { name: string } } };
    type Ingress = { spec: { rules: { http: { paths: { path: string; backend: Backend }[] } }[]; tls: unknown[] } };
    const [ingress] = ofKind<Ingress>(rendered[overlay], 'Ingress');
    const paths = ingress?.spec.rules.flatMap(({ http }) => http.paths) ?? [];
    expect(paths).toMatchObject([
      { path: '/socket.io', backend: { service: { name: 'dmr-server', port: { name: 'http' } } } },
    ]);
    expect(ingress?.spec.tls).toHaveLength(1);
  });

  it('is RabbitMQ as rabbitmq/ configures it, with the plugins that it wants', () => {
    const read = (name: string) => readFileSync(path.join(__dirname, '../../rabbitmq', name), 'utf8');
    type Cluster = { spec: { rabbitmq: { additionalPlugins?: string[] }; tls: object } };
    const [cluster] = ofKind<Cluster>(rendered[overlay], 'RabbitmqCluster');
    const on = [...OPERATORS_PLUGINS, ...(cluster?.spec.rabbitmq.additionalPlugins ?? [])];
    const wanted = read('enabled_plugins').match(/rabbitmq_\w+/g) ?? [];
    expect(wanted.filter((plugin) => !on.includes(plugin))).toEqual([]);
    expect(cluster?.spec.tls).toEqual({ secretName: 'rabbitmq-tls', disableNonTLSListeners: true });

    const maps = ofKind<{ data: Record<string, string> }>(rendered[overlay], 'ConfigMap');
    const conf = maps.find(({ data }) => 'rabbitmq.conf' in data);
    expect(conf?.data).toEqual({ 'rabbitmq.conf': read('rabbitmq.conf') });
    const mounted = JSON.stringify(cluster);
    expect(mounted).toContain(`"configMap":{"name":"${conf?.metadata.name}"}`);
    const definitions = /^load_definitions = (.*)\/definitions\.json$/m.exec(read('rabbitmq.conf'))?.[1];
    expect(mounted).toContain(`"mountPath":"${definitions}"`);
  });
});
