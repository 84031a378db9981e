import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePorts } from '../../scripts/lib/broker/free-ports';
import { startCentOps, type CentOps } from '../helpers/centops';
import { Builder, isInContext, stagesOf, type Image } from '../helpers/dockerfile';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { untilHealthy } from '../helpers/mesh';
import { serverEnv } from '../helpers/processes';
import { useVhost } from '../helpers/rabbitmq';
import { Repl } from '../helpers/repl';
import { temporaryFolder } from '../helpers/temporary-folder';

const ROOT = path.join(__dirname, '../..');
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const { scripts, version } = JSON.parse(read('package.json')) as { scripts: Record<string, string>; version: string };
const BUILD_LIMIT_MS = 180_000;

const { amqp } = useVhost();
const tax = makeIdentity('Tax Office');

/** Every file of a tree, from its root. */
const filesIn = (root: string, skip = '') =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .filter((file) => !skip || !file.startsWith(skip))
    .sort();

/** Docker is not at hand: the very steps of the Dockerfile, and the very commands of its images, outside a container. */
describe('the images', () => {
  const dir = temporaryFolder();
  const started: ChildProcess[] = [];
  let images: Record<'server' | 'agent' | 'demo', Image>;
  let centOps: CentOps;

  beforeAll(async () => {
    centOps = await startCentOps([tax]);
    const builder = new Builder(dir);
    images = { server: builder.build('server'), agent: builder.build('agent'), demo: builder.build('demo') };
  }, BUILD_LIMIT_MS);

  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL');
    await centOps?.close();
  });

  const targets = ['server', 'agent', 'demo'] as const;
  const nodeOf = ([program, ...args]: string[]) => {
    expect(program).toBe('node');
    return args;
  };
  const envOf = ({ env }: Image, more: NodeJS.ProcessEnv) => ({ PATH: process.env['PATH'], ...env, ...more });

  function start(image: Image, env: NodeJS.ProcessEnv): ChildProcess {
    const options = { cwd: image.root + image.workdir, env: envOf(image, env), stdio: 'ignore' } as const;
    const child = spawn(process.execPath, nodeOf(image.cmd), options);
    started.push(child);
    return child;
  }

  async function health(image: Image, env: NodeJS.ProcessEnv, ...args: string[]): Promise<number> {
    const options = { cwd: image.root + image.workdir, env: envOf(image, env) };
    return new Promise((resolve) => {
      const child = execFile(process.execPath, [...nodeOf(image.healthcheck), ...args], options, () =>
        resolve(child.exitCode ?? -1),
      );
    });
  }

  async function livesAndEnds(image: Image, env: NodeJS.ProcessEnv): Promise<void> {
    const before = filesIn(image.root);
    expect(await health(image, env)).toBe(1);
    const child = start(image, env);
    await untilHealthy(`http://127.0.0.1:${env['PORT']}`, 30_000);
    expect(await health(image, env)).toBe(0);
    expect(await health(image, env, '/v1/health')).toBe(0);
    expect(await health(image, env, '/nowhere')).toBe(1);
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit', { signal: AbortSignal.timeout(20_000) })) as [number | null];
    expect(code).toBe(0);
    expect(filesIn(image.root)).toEqual(before); // the root may be read-only
  }

  const ports = async () => {
    const [own, metrics] = await freePorts(2);
    return { PORT: String(own), METRICS_PORT: String(metrics) };
  };

  it('server answers, says so to its health check, and ends when it is told to', async () => {
    await livesAndEnds(images.server, { ...(await ports()), ...serverEnv(amqp, centOps.url) });
  }, 60_000);

  it('server has a REPL, started in its container with all that it inherits there', async () => {
    const own = await ports();
    const env = envOf(images.server, { ...own, ...serverEnv(amqp, centOps.url) });
    const url = `http://127.0.0.1:${own.PORT}`;
    const before = filesIn(images.server.root);
    const server = start(images.server, env);
    await untilHealthy(url, 30_000);
    const services = { SERVICES: 'metrics', SERVICEDIR: `${images.server.root}/app/dist/services/server` };
    const program = { file: `${images.server.root}/usr/local/bin/dmr`, args: ['repl'], cwd: images.server.root };
    const repl = await Repl.start({ ...env, ...services }, program);
    try {
      const seen = async () => (await repl.type('drain nobody')).includes(`-${server.pid}-`);
      await eventually(seen, { timeoutMs: 20_000 });
      expect(await repl.type('nodes')).toMatch(/\brepl-/); // and no second server
      expect(await repl.type('services --local')).not.toContain('metrics');
      expect(await repl.json('routes')).toMatchObject({ routes: [{ agentId: tax.id }] });
    } finally {
      expect(await repl.quit()).toBe(0);
    }
    expect(filesIn(images.server.root)).toEqual(before); // the root may be read-only
    // Its ports are the server's own as before.
    expect((await fetch(`${url}/v1/health`)).status).toBe(200);
    server.kill('SIGTERM');
    expect(await once(server, 'exit')).toEqual([0, null]);
  }, 60_000);

  it('agent does the same, with its key in a file', async () => {
    const { METRICS_PORT: _, ...own } = await ports();
    const [PORT] = await freePorts(1);
    const server = start(images.server, { PORT: String(PORT), ...serverEnv(amqp, centOps.url) });
    await untilHealthy(`http://127.0.0.1:${PORT}`, 30_000);
    const data = temporaryFolder();
    const key = path.join(data, 'key');
    writeFileSync(key, tax.privateKeyPem);
    await livesAndEnds(images.agent, {
      ...own,
      AGENT_ID: tax.id,
      AGENT_PRIVATE_KEY_FILE: key,
      AGENT_DATA_DIR: data,
      DMR_SERVER_WEBSOCKET_URL: `http://127.0.0.1:${PORT}`,
      OUTGOING_MESSAGE_ENDPOINT: 'http://127.0.0.1:9/messages',
    });
    expect(readdirSync(path.join(data, tax.id))).not.toEqual([]); // what it must not forget is on the volume
    server.kill('SIGTERM');
    await once(server, 'exit');
  }, 60_000);

  it.each(targets)('%s holds no package of development, no test and no secret', (name) => {
    const app = images[name].root + images[name].workdir;
    const { packages } = JSON.parse(readFileSync(path.join(app, 'node_modules/.package-lock.json'), 'utf8')) as {
      packages: Record<string, { dev?: boolean }>;
    };
    expect(Object.keys(packages).length).toBeGreaterThan(50);
    expect(Object.entries(packages).flatMap(([file, { dev }]) => (dev ? file : []))).toEqual([]);
    const ours = filesIn(app, 'node_modules');
    expect(
      ours.filter(
        (file) =>
          !/^(dist\/.*\.js|dist\/public\/docs\/[\w.]+|bin\/dmr\.mjs|package\.json|LICENSE|rabbitmq\/definitions\.json)$/.test(
            file,
          ),
      ),
    ).toEqual([]);
    expect(ours.filter((file) => /test|\.env|\.pem|\.key$/.test(file))).toEqual([]);
    expect(
      ours.filter((file) => /BEGIN [A-Z ]*PRIVATE KEY-----\n?\w/.test(readFileSync(path.join(app, file), 'utf8'))),
    ).toEqual([]);
  });

  it('hold their own services alone', () => {
    const services = (name: (typeof targets)[number]) => readdirSync(`${images[name].root}/app/dist/services`);
    expect(targets.map(services)).toEqual([['server'], ['agent'], ['dev']]);
  });

  it.each(targets)('%s has the command dmr', (name) => {
    const image = images[name];
    const dmr = `${image.root}/usr/local/bin/dmr`;
    const run = (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync(dmr, args, {
        env: envOf(image, {}),
        encoding: 'utf8',
        timeout: 20_000,
      });
      return { status, stdout, stderr };
    };
    expect(run('--version')).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    const { agentId, privateKeyFile } = JSON.parse(
      run('keygen', '--new-id', '--json', '--out', path.join(temporaryFolder(), 'key.pem')).stdout,
    ) as Record<'agentId' | 'privateKeyFile', string>;
    const check = run('keys', 'check', '--id', agentId, '--key', privateKeyFile, '--list', '/dev/null');
    expect(check).toMatchObject({ status: 69, stderr: expect.stringContaining('dmr: ') as string });
  });

  it('agent has the page of its REST interface, the server has none', () => {
    const pages = filesIn(path.join(ROOT, 'public'));
    expect(pages.length).toBeGreaterThan(0);
    expect(filesIn(`${images.agent.root}/app/dist/public`)).toEqual(pages);
    expect(existsSync(`${images.server.root}/app/dist/public`)).toBe(false);
  });

  it.each(targets)('%s runs as a fixed user that is not root, without a shell or npm around the process', (name) => {
    expect(images[name]).toMatchObject({ user: '10001:10001', workdir: '/app' });
    expect(images[name].cmd[0]).toBe('node');
  });

  it.each(['server', 'agent'] as const)('%s is what `npm run start:…` starts', (name) => {
    const { env, cmd } = images[name];
    const [, options, role, command] =
      /^(?:NODE_OPTIONS="(.*) \$NODE_OPTIONS" )?DMR_ROLE=(\w+) moleculer-runner (.*)$/.exec(
        scripts[`start:${name}`] ?? '',
      ) ?? [];
    expect([env['NODE_OPTIONS'], env['DMR_ROLE'], cmd.slice(2).join(' ')]).toEqual([options, role, command]);
  });
});

describe('.dockerignore', () => {
  const ignore = read('.dockerignore');

  it.each([
    '.env',
    'lib/.env',
    'services/agent/.env.local',
    'lib/x.pem',
    'data/agent/x',
    '.git/HEAD',
    'test/a.ts',
    'node_modules/x',
    'docs/a.md',
  ])('keeps %s from the builder', (file) => expect(isInContext(file, ignore)).toBe(false));

  it.each([
    'lib/config/index.ts',
    'package-lock.json',
    'bin/dmr.mjs',
    'public/docs/index.html',
    'services/server/router.service.ts',
  ])('hands %s over', (file) => expect(isInContext(file, ignore)).toBe(true));
});

it('every stage begins from another or from the one base', () => {
  const stages = stagesOf(read('Dockerfile'));
  const names = ['${NODE_IMAGE}', ...stages.map(({ name }) => name)];
  expect(stages.filter(({ from }) => !names.includes(from))).toEqual([]);
  expect(read('Dockerfile')).toContain('ARG NODE_IMAGE=node:24-slim\n');
});
