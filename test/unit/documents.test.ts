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
    const [before, measured, after] = readme.split(/<!-- \/?benchmark -->/) as [string, string, string];
    expect(`${before}${after}`.split('\n').length).toBeLessThan(200);
    expect(measured.split('\n').length).toBeLessThan(30);
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

describe('the threat model', () => {
  const text = read('docs/threat-model.md');
  const aliases = new Map(
    [...text.matchAll(/`([^`]+)`\s+(?:is\s+)?(integration\/[\w-]+\.test\.ts)/g)].map(([, alias, file]) => [
      alias,
      file,
    ]),
  );
  const [, , ...rows] = text.slice(text.indexOf('| threat ')).split('\n\n')[0]!.split('\n');
  const references = rows.flatMap((row) => row.split('|').at(-2)!.split(';'));

  /** What a reference stands for: files, aliases of files, or names of property tests. */
  const filesOf = (places: string) =>
    places
      .split(/, | and | with /)
      .map((place) => place.trim())
      .map((place) => `test/${aliases.get(place) ?? (place.includes('/') ? place : `property/${place}.test.ts`)}`);

  it('has a test for every control', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(aliases.size).toBeGreaterThanOrEqual(5);
  });

  it.each(references)('names tests that are there: %s', (reference) => {
    const [, places = '', titles = ''] = /^([^:]+)(?::(.*))?$/s.exec(reference) ?? [];
    const code = filesOf(places).map(read).join('\n');
    const quoted = [...titles.matchAll(/"([^"]+)"/g)].map(([, title]) => title as string);
    const pieces = quoted.flatMap((title) => title.split('…')).map((piece) => piece.trim());
    expect(pieces.filter((piece) => !code.includes(piece))).toEqual([]);
  });
});
