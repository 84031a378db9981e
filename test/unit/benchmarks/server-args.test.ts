import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SERVER_ARGS } from '../../../benchmarks/lib/ground';

it('a server is measured as npm starts it', () => {
  const { scripts } = JSON.parse(readFileSync(path.join(__dirname, '../../../package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  expect(scripts['start:server']).toContain(`NODE_OPTIONS="${SERVER_ARGS.join(' ')} $NODE_OPTIONS"`);
});
