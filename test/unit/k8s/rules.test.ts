import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { ruleFiles } from '../../../scripts/make-k8s-rules';

const ROOT = path.join(__dirname, '../../..');
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const groupsIn = (text: string) => (parse(text) as { groups: { name: string }[] }).groups;

describe('the PrometheusRules', () => {
  it.each(Object.entries(ruleFiles()))('%s is up to date: npx tsx scripts/make-k8s-rules.ts', (file, text) => {
    expect(read(file)).toBe(text);
  });

  it('are the alerts of monitoring/alerts, all of them', () => {
    const alerts = readdirSync(path.join(ROOT, 'monitoring/alerts')).filter((name) => name.endsWith('.yml'));
    const specs = Object.values(ruleFiles()).map((text) => (parse(text) as { spec: { groups: unknown } }).spec.groups);
    expect(specs).toEqual(alerts.sort().map((name) => groupsIn(read(`monitoring/alerts/${name}`))));
  });
});
