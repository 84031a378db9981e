import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { ofKind, OVERLAYS, renderOverlays, type Manifest, type Overlay } from '../helpers/manifests';

const ALERTS = path.join(__dirname, '../../monitoring/alerts');
const PARTS = {
  dev: ['messages', 'rabbitmq', 'server'],
  production: ['messages', 'rabbitmq', 'server'],
  agent: ['agent'],
};

let rendered: Record<Overlay, Manifest[]>;
beforeAll(async () => void (rendered = await renderOverlays()));

it.each(OVERLAYS)('the overlay %s brings the alerts of its part, as monitoring/alerts has them', (overlay) => {
  const rules = ofKind<{ spec: unknown }>(rendered[overlay], 'PrometheusRule');
  const alerts = PARTS[overlay].map((name) => parse(readFileSync(path.join(ALERTS, `${name}.yml`), 'utf8')) as unknown);
  expect(rules.map(({ spec }) => spec)).toEqual(alerts);
});
