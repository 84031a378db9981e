import path from 'node:path';
import type { Manifest } from './manifests';
import { rabbitmqClusterErrors } from './rabbitmq-cluster-schema';

interface Violation {
  instancePath: string;
  message?: string;
  keyword: string;
  params: object;
}

/** A validator that was compiled from the schema that Kubernetes publishes. It reads every field that it knows. */
interface Validate {
  (data: unknown): boolean;
  errors?: Violation[] | null;
}

// By path: the package exports its models alone, and these copy the object before they look at it.
const MODULES = path.join(__dirname, '../../node_modules');
const KUBERNETES = path.join(MODULES, 'kubernetes-models/_schemas/IoK8sApi');
const PROMETHEUS = path.join(MODULES, '@kubernetes-models/prometheus-operator/_schemas/MonitoringCoreosComV1');

/** Where the schema of each kind lies, with its `apiVersion`. */
const SCHEMAS: Record<string, string> = {
  'v1 Namespace': `${KUBERNETES}CoreV1Namespace`,
  'v1 ConfigMap': `${KUBERNETES}CoreV1ConfigMap`,
  'v1 Service': `${KUBERNETES}CoreV1Service`,
  'apps/v1 Deployment': `${KUBERNETES}AppsV1Deployment`,
  'apps/v1 StatefulSet': `${KUBERNETES}AppsV1StatefulSet`,
  'autoscaling/v2 HorizontalPodAutoscaler': `${KUBERNETES}AutoscalingV2HorizontalPodAutoscaler`,
  'policy/v1 PodDisruptionBudget': `${KUBERNETES}PolicyV1PodDisruptionBudget`,
  'networking.k8s.io/v1 Ingress': `${KUBERNETES}NetworkingV1Ingress`,
  'networking.k8s.io/v1 NetworkPolicy': `${KUBERNETES}NetworkingV1NetworkPolicy`,
  'monitoring.coreos.com/v1 ServiceMonitor': `${PROMETHEUS}ServiceMonitor`,
  'monitoring.coreos.com/v1 PodMonitor': `${PROMETHEUS}PodMonitor`,
  'monitoring.coreos.com/v1 PrometheusRule': `${PROMETHEUS}PrometheusRule`,
};

/** What is wrong with an object by the schema of its kind: wrong or missing fields, and those that no schema knows. */
export async function schemaErrors(manifest: Manifest): Promise<string[]> {
  const kind = `${manifest.apiVersion} ${manifest.kind}`;
  if (kind === 'rabbitmq.com/v1beta1 RabbitmqCluster') return rabbitmqClusterErrors(manifest);
  const schema = SCHEMAS[kind];
  return schema ? errorsBy(schema, manifest) : [`no schema for ${kind}`];
}

/** The same for a part of an object, by the name of its schema in Kubernetes' API, such as `CoreV1Affinity`. */
export function partErrors(name: string, part: unknown): Promise<string[]> {
  return errorsBy(`${KUBERNETES}${name}`, part);
}

async function errorsBy(schema: string, data: unknown): Promise<string[]> {
  const { validate } = (await import(`${schema}.js`)) as { validate: Validate };
  const watched = new Watched();
  validate(watched.wrap(data));
  const wrong = (validate.errors ?? []).map(
    ({ instancePath, message, keyword, params }) => `${instancePath}: ${message ?? keyword} ${JSON.stringify(params)}`,
  );
  return [...wrong, ...watched.unread().map((field) => `${field}: unknown`)];
}

/** Data that notes which of its fields were read: published schemas are open, and let a misspelt field pass. */
class Watched {
  private readonly fields = new Set<string>();
  private readonly read = new Set<string>();

  wrap(value: unknown, at = ''): unknown {
    if (typeof value !== 'object' || value === null) return value;
    const children = Object.entries(value).map(([key, child]) => [key, this.wrap(child, `${at}/${key}`)] as const);
    for (const [key] of children) this.fields.add(`${at}/${key}`);
    const copy = Array.isArray(value) ? children.map(([, child]) => child) : Object.fromEntries(children);
    return new Proxy(copy, {
      get: (target: Record<string, unknown>, key) => {
        this.read.add(`${at}/${String(key)}`);
        return Reflect.get(target, key) as unknown;
      },
    });
  }

  /** Paths of the fields that nobody asked for; of a whole branch the field at its root. */
  unread(): string[] {
    const unread = [...this.fields].filter((field) => !this.read.has(field));
    return unread.filter((field) => !unread.some((other) => field.startsWith(`${other}/`)));
  }
}
