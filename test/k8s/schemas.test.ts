import { schemaErrors } from '../helpers/kubernetes-schemas';
import { OVERLAYS, renderOverlays, type Manifest, type Overlay } from '../helpers/manifests';

let rendered: Record<Overlay, Manifest[]>;
beforeAll(async () => void (rendered = await renderOverlays()));

describe.each(OVERLAYS)('the overlay %s', (overlay) => {
  it('has only objects that their schemas take, with no field that these do not know', async () => {
    const errors = await Promise.all(
      rendered[overlay].map(async (manifest) =>
        (await schemaErrors(manifest)).map((error) => `${manifest.kind}/${manifest.metadata.name}${error}`),
      ),
    );
    expect(errors.flat()).toEqual([]);
  });

  it('puts everything into its namespace, and nothing twice', () => {
    const names = rendered[overlay].map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
    const namespace = rendered[overlay].find(({ kind }) => kind === 'Namespace')?.metadata.name;
    const elsewhere = rendered[overlay].filter(({ metadata }) => metadata.namespace !== namespace);
    expect(elsewhere.map(({ kind }) => kind)).toEqual(['Namespace']);
  });
});

describe('the schemas', () => {
  const service = (port: object) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'a' },
    spec: { ports: [port] },
  });
  const rabbitmq = (spec: object) => ({
    apiVersion: 'rabbitmq.com/v1beta1',
    kind: 'RabbitmqCluster',
    metadata: { name: 'r' },
    spec: { replicas: 3, ...spec },
  });

  it.each([
    ['a wrong type', service({ port: '80' }), '/spec/ports/0/port'],
    ['a missing field', service({ name: 'http' }), '/spec/ports/0'],
    ['a misspelt field', service({ port: 80, targetport: 8075 }), '/spec/ports/0/targetport: unknown'],
    ['another kind', { ...service({ port: 80 }), kind: 'Gateway' }, 'no schema for v1 Gateway'],
    ['a misspelt field of RabbitMQ', rabbitmq({ tls: { secret: 'x' } }), 'spec.tls'],
    ['a wrong type within RabbitMQ', rabbitmq({ resources: { limits: 4 } }), '/limits'],
  ])('find %s', async (_what, manifest, error) => {
    expect((await schemaErrors(manifest)).join('\n')).toContain(error);
  });
});
