import path from 'node:path';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import { ofKind, type Manifest } from './manifests';

/**
 * The environment of a pod's first container, as its ConfigMaps and its own variables give it. What is in a Secret is not
 * there: files in mounted volumes are taken from `secrets`, which says where the file of a path in the pod lies here.
 * @throws for a variable that is set in a way that this does not read
 */
export function environmentOf(
  manifests: Manifest[],
  { containers: [container], volumes = [] }: IPodSpec,
  secrets: (file: string) => string = (file) => (file.startsWith('/run/secrets/') ? __filename : file),
): Record<string, string> {
  const maps = ofKind<{ data: Record<string, string> }>(manifests, 'ConfigMap');
  const given = (container?.envFrom ?? []).map(({ configMapRef }) => {
    const map = maps.find(({ metadata }) => metadata.name === configMapRef?.name);
    if (!map) throw new Error(`There is no ConfigMap ${configMapRef?.name ?? 'by that way'}`);
    return map.data;
  });
  const own = (container?.env ?? []).map(({ name, value }) => {
    if (value === undefined) throw new Error(`${name} has no value of its own`);
    return [name, value];
  });
  const all = Object.assign({}, ...given, Object.fromEntries(own)) as Record<string, string>;
  const mounts = (container?.volumeMounts ?? []).filter(({ name }) => volumes.some((volume) => volume.name === name));
  const inVolume = (value: string) => mounts.some(({ mountPath }) => path.dirname(value) === mountPath);
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [name, inVolume(value) ? secrets(value) : value]),
  );
}
