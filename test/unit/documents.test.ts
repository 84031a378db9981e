import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { violationsOf } from '../../lib/protocol/chat-message';

const ROOT = path.join(__dirname, '../..');
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const markdown = ['README.md', 'test/vectors/README.md', ...['docs', 'docs/adr'].flatMap(markdownIn)];

function markdownIn(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`);
}

describe('the README', () => {
  const readme = read('README.md');
  const body = /-d @- <<EOF\n(.*?)\nEOF/s.exec(readme)?.[1] ?? '';
  const id = '3f2b1c9a-8a3e-4c57-9d0e-0a1b2c3d4e5f';

  it('is short enough to be read', () => {
    expect(readme.split('\n').length).toBeLessThan(200);
  });

  it('shows a message that the agent takes, for an agent that the demo has', () => {
    const message = JSON.parse(
      body
        .replaceAll("$(node -p 'crypto.randomUUID()')", id)
        .replaceAll("$(node -p 'new Date().toISOString()')", new Date().toISOString()),
    ) as { recipientId: string };
    expect(violationsOf(message)).toEqual([]);
    expect(read('scripts/demo/plan.ts')).toContain(message.recipientId);
  });
});

it.each(markdown)('%s links only to what exists', (file) => {
  const links = [...read(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => target as string);
  const missing = links.filter((target) => !existsSync(path.join(ROOT, path.dirname(file), target)));
  expect(missing).toEqual([]);
});
