import { readdirSync } from 'node:fs';
import path from 'node:path';
import { ALERTS_FOLDER } from '../helpers/alert-rules';
import { promtool } from '../helpers/prometheus';

jest.setTimeout(60_000);

const TESTS = path.join(ALERTS_FOLDER, 'tests');
const filesIn = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.yml'))
    .map((name) => path.join(folder, name));

describe('the alerts, to promtool', () => {
  it('are rules', async () => {
    await expect(promtool('check', 'rules', ...filesIn(ALERTS_FOLDER))).resolves.toContain('SUCCESS');
  });

  it.each(readdirSync(TESTS))('fire and stay quiet as %s says', async (name) => {
    await expect(promtool('test', 'rules', path.join(TESTS, name))).resolves.toContain('SUCCESS');
  });
});

it('the example of a configuration loads them', async () => {
  const file = path.join(ALERTS_FOLDER, '../prometheus.yml');
  await expect(promtool('check', 'config', file)).resolves.toContain('4 rule files found');
});
