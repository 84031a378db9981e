import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { loadAgentConfig } from '../../../lib/config';
import { EXAMPLE_ARRIVAL, EXAMPLE_HEALTH, EXAMPLE_MESSAGE, EXAMPLE_STATUS } from '../../../lib/openapi/examples';
import { openApiDocument } from '../../../lib/openapi/document';
import { POST_PROBLEMS, STATUS_PROBLEMS } from '../../../lib/openapi/problems';
import { violationsOf } from '../../../lib/protocol/chat-message';
import { parseEnvelope } from '../../../lib/protocol/envelope';
import { OPENAPI_COPY, openApiText } from '../../../scripts/make-openapi';
import { apiService } from '../../../services/agent/api.service';
import { makeIdentity } from '../../helpers/keys';
import { checkOf, operations } from '../../helpers/openapi';

const ROOT = path.join(__dirname, '../../..');
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');

const sources = ['lib', 'services/agent']
  .flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
  )
  .filter((name) => name.endsWith('.ts') && !name.startsWith('lib/openapi/'));

const { id, privateKeyPem } = makeIdentity('Police');
const configWith = (env: NodeJS.ProcessEnv = {}) =>
  loadAgentConfig({
    AGENT_ID: id,
    AGENT_PRIVATE_KEY: privateKeyPem,
    DMR_SERVER_WEBSOCKET_URL: 'http://localhost:8075',
    OUTGOING_MESSAGE_ENDPOINT: 'http://localhost:8090',
    ...env,
  });

/** Method and path of everything that the agent serves, in the words of OpenAPI. */
function served(env?: NodeJS.ProcessEnv): string[] {
  const { routes } = apiService(configWith(env)).settings as {
    routes: { path: string; aliases: Record<string, unknown> }[];
  };
  return routes
    .flatMap((route) =>
      Object.keys(route.aliases).map((alias) => alias.replace(' ', ` ${route.path.replace(/\/$/, '')}`)),
    )
    .map((alias) => alias.replaceAll(/:(\w+)/g, '{$1}'))
    .sort();
}

const isPage = (alias: string) => alias.startsWith('GET /v1/docs');

describe('the OpenAPI document', () => {
  it('is what the schema of OpenAPI 3.1 takes', () => {
    const validator = path.join(ROOT, 'node_modules/@seriousme/openapi-schema-validator/bin/validate-api-cli.js');
    execFileSync(process.execPath, [validator, path.join(ROOT, OPENAPI_COPY)], { stdio: 'pipe' });
  });

  it(`has an up-to-date copy: npx tsx scripts/make-openapi.ts`, () => {
    expect(read(OPENAPI_COPY)).toBe(openApiText());
  });

  it.each([[{}], [{ METRICS_PORT: '9464' }]])('describes every route that is served, and no other: %j', (env) => {
    const described = [...operations(openApiDocument(configWith(env))).keys()].sort();
    expect(described).toEqual(served(env).filter((alias) => !isPage(alias)));
  });

  it('describes every error that the code has', () => {
    const code = sources.map(read).join('\n');
    const thrown = [...code.matchAll(/new HttpError\(\s*(\d{3}),\s*'([A-Z_]+)'/g)];
    const known = [...read('lib/http/problem.ts').matchAll(/status: (\d{3}),\s*code: '([A-Z_]+)'/g)];
    const all = new Set([...thrown, ...known].map(([, status, name]) => `${status} ${name}`));
    expect(all.size).toBeGreaterThan(12);
    const described = new Set([...POST_PROBLEMS, ...STATUS_PROBLEMS].map(([status, name]) => `${status} ${name}`));
    expect([...all].filter((problem) => !described.has(problem))).toEqual(['404 NOT_FOUND']); // of no route
    for (const [, name] of POST_PROBLEMS) expect(code).toContain(`'${name}'`);
  });

  it('has examples that the code takes, and that fit their schemas', () => {
    expect(violationsOf(EXAMPLE_MESSAGE)).toEqual([]);
    expect(parseEnvelope({ ...EXAMPLE_ARRIVAL, payload: 'sealed' })).toHaveProperty('envelope');
    const examples = {
      Message: EXAMPLE_MESSAGE,
      Arrival: EXAMPLE_ARRIVAL,
      MessageStatus: EXAMPLE_STATUS,
      Health: EXAMPLE_HEALTH,
    };
    for (const [name, example] of Object.entries(examples)) {
      const check = checkOf(`components schemas ${name}`);
      expect({ name, errors: check(example) ? [] : check.errors }).toEqual({ name, errors: [] });
    }
  });
});

describe('the page that tries it', () => {
  it.each<[NodeJS.ProcessEnv, boolean]>([
    [{}, true],
    [{ ENVIRONMENT: 'production' }, false],
    [{ ENVIRONMENT: 'production', API_DOCS: 'on' }, true],
    [{ API_DOCS: 'off' }, false],
  ])('is served with %j: %s', (env, is) => {
    expect(served(env).some(isPage)).toBe(is);
    expect(served(env)).toContain('GET /v1/openapi.json');
  });

  it('asks nobody else for anything, and holds no script or style within its text', () => {
    const [page, script, style] = ['index.html', 'page.js', 'page.css'].map((name) => read(`public/docs/${name}`));
    expect(`${page}${script}${style}`).not.toMatch(
      /https?:\/\/|\/\/[a-z]+\.|@import|innerHTML|outerHTML|insertAdjacentHTML/,
    );
    expect(page).not.toMatch(/<style|style=|<script(?![^>]*\bsrc=)|\son\w+=/);
  });
});
