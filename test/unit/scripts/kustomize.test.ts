import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { renderAll } from '../../../scripts/lib/kustomize';
import { temporaryFolder } from '../../helpers/temporary-folder';

const OVERLAY = 'k8s/overlays/production';

/** A kubectl of that minor version, which shows the kustomization that it was given. */
function kubectl(minor: string, render = 'cat "$2/kustomization.yaml"'): string {
  const file = path.join(temporaryFolder(), 'kubectl');
  const version = `{"clientVersion":{"major":"1","minor":"${minor}"}}`;
  writeFileSync(file, `#!/bin/sh\nif [ "$1" = version ]; then echo '${version}'; else ${render}; fi\n`, {
    mode: 0o755,
  });
  return file;
}

const shown = async (minor: string) => {
  const [text = ''] = await renderAll(kubectl(minor), [OVERLAY]);
  return parse(text) as Record<string, unknown>;
};

describe('renderAll', () => {
  it.each(['21', '32+'])('gives a kubectl 1.%s the kustomizations as they are', async (minor) => {
    expect(await shown(minor)).toMatchObject({ resources: ['../../base'], patches: [{ path: 'rabbitmq.yaml' }, {}] });
  });

  it('gives an older one the words that it knows', async () => {
    const old = await shown('20');
    expect(old).toMatchObject({ bases: ['../../base'], resources: [] });
    expect(old).toMatchObject({ patchesStrategicMerge: ['rabbitmq.yaml', 'ingress.yaml'], namespace: 'dmr' });
    expect(old).not.toHaveProperty('patches');
  });

  it("fails with kubectl's own words", async () => {
    const failing = kubectl('32', 'echo "no such field" >&2; exit 1');
    await expect(renderAll(failing, [OVERLAY])).rejects.toThrow('no such field');
  });
});
