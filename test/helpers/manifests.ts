import { parseAllDocuments } from 'yaml';
import type { IPodTemplateSpec } from 'kubernetes-models/v1/PodTemplateSpec';
import { renderAll } from '../../scripts/lib/kustomize';

/** What is applied to a cluster: the centre in two sizes, and an organisation's agent. */
export const OVERLAYS = ['dev', 'production', 'agent'] as const;
export type Overlay = (typeof OVERLAYS)[number];

/** One object of Kubernetes, as far as all of them are alike. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
}

/** A template of pods, and the object that makes them. */
export interface Workload {
  owner: string;
  replicas: number | undefined;
  template: IPodTemplateSpec;
}

/**
 * The objects of every overlay, as kubectl renders them.
 * @throws when no kubectl was provided, or it refuses an overlay
 */
export async function renderOverlays(): Promise<Record<Overlay, Manifest[]>> {
  const kubectl = process.env['DMR_TEST_KUBECTL'];
  if (!kubectl) throw new Error('This test needs kubectl. Run it with "npm test -- <file>": that provides one.');
  const texts = await renderAll(
    kubectl,
    OVERLAYS.map((overlay) => `k8s/overlays/${overlay}`),
  );
  const rendered = OVERLAYS.map((overlay, index) => [overlay, objectsIn(texts[index] ?? '')]);
  return Object.fromEntries(rendered) as Record<Overlay, Manifest[]>;
}

function objectsIn(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors[0]) throw document.errors[0];
    return document.toJS() as Manifest;
  });
}

/** The objects of one kind; the caller says what they look like. */
export function ofKind<T>(manifests: Manifest[], kind: string): (Manifest & T)[] {
  return manifests.filter((manifest) => manifest.kind === kind) as (Manifest & T)[];
}

/** All templates of pods, but for RabbitMQ's, which its operator makes. */
export function workloads(manifests: Manifest[]): Workload[] {
  type Owner = { spec: { replicas?: number; template: IPodTemplateSpec } };
  return ['Deployment', 'StatefulSet'].flatMap((kind) =>
    ofKind<Owner>(manifests, kind).map(({ metadata, spec }) => ({
      owner: `${kind}/${metadata.name}`,
      replicas: spec.replicas,
      template: spec.template,
    })),
  );
}
