import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { violationsOf } from '../../lib/protocol/chat-message';

const ROOT = path.join(__dirname, '../..');
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const markdown = ['.', 'docs', 'docs/adr', 'k8s', 'test/vectors'].flatMap(markdownIn);

function markdownIn(folder: string): string[] {
  if (!existsSync(path.join(ROOT, folder))) return [];
  return readdirSync(path.join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join(folder, name));
}

/** The names by which GitHub lets a document's headings be linked to. */
function anchorsOf(file: string): string[] {
  const text = read(file).replace(/^```.*?^```/gms, '');
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading as string);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

/** What looks like a variable and is an error, a reason, a verdict of RabbitMQ, or of systemd. */
const OTHER_WORDS = [
  'PRECONDITION_FAILED',
  'INVALID_SENDER_ID',
  'SERVER_REFUSED',
  'AF_INET',
  'AF_NETLINK',
  'AF_UNIX',
  'NODE_OPTIONS',
];

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

it.each(markdown)('%s links only to headings that exist', (file) => {
  const links = [...read(file).matchAll(/\]\((?!https?:)([^)#]*\.md)?#([^)]+)\)/g)];
  const missing = links.filter(([, target, anchor]) => {
    const linked = target === undefined ? file : path.join(path.dirname(file), target);
    return !anchorsOf(linked).includes(anchor as string);
  });
  expect(missing.map(([link]) => link)).toEqual([]);
});

it('has the documents that a project is expected to have, linked to', () => {
  const expected = [
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'README.md',
    'SECURITY.md',
    'docs/deploy.md',
    'docs/migration.md',
  ];
  expect(markdown).toEqual(expect.arrayContaining(expected));
  expect(read('CONTRIBUTING.md').split('\n').length).toBeLessThanOrEqual(60);
});

it('lists every decision in the index of decisions', () => {
  const decisions = readdirSync(path.join(ROOT, 'docs/adr')).filter((name) => /^\d{4}-/.test(name));
  const listed = [...read('docs/adr/README.md').matchAll(/^\| \[(\d{4})\]\((\S+\.md)\)/gm)];
  expect(listed.map(([, , file]) => file)).toEqual(decisions.sort());
  for (const [, number, file] of listed) expect(read(`docs/adr/${file}`)).toMatch(new RegExp(`^# ${number}\\. `));
});

describe('the guide to production', () => {
  const text = read('docs/deploy.md');
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

  it.each(['server', 'agent'])('has systemd start what npm run start:%s starts', (role) => {
    const command = (scripts[`start:${role}`] as string).replace(/^.*moleculer-runner /, '');
    expect(text).toContain(`ExecStart=/usr/bin/node node_modules/moleculer/bin/moleculer-runner.js ${command}\n`);
    expect(text).toContain(`Environment=DMR_ROLE=${role} `);
  });

  it('gives a server the flags that it was measured with', () => {
    const flags = /NODE_OPTIONS=\\?"(.*?) \$NODE_OPTIONS/.exec(scripts['start:server'] as string)?.[1];
    expect(flags).toMatch(/^--max-/);
    expect(text).toContain(`"NODE_OPTIONS=${flags}"`);
  });
});

it.each(['docs/deploy.md', 'docs/migration.md'])('%s names only variables and alerts that there are', (file) => {
  const known = read('docs/configuration.md') + read('docs/operations.md');
  const variables = read(file).match(/\b[A-Z]+(?:_[A-Z]+)+\b/g) ?? [];
  const alerts = read(file).match(/\bDMR[A-Z]\w+/g) ?? [];
  expect(variables.length + alerts.length).toBeGreaterThan(20);
  const others = new Set([...OTHER_WORDS]);
  const bare = (name: string) => name.replace(/_FILE$/, '');
  const unknown = [...variables, ...alerts].filter((name) => !others.has(name) && !known.includes(bare(name)));
  expect([...new Set(unknown)]).toEqual([]);
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
