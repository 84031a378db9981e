import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { startCentOps, type CentOps } from '../../helpers/centops';
import { DeployedServer } from '../../helpers/deployed-server';
import { makeIdentity, toAgentRecord, type AgentIdentity } from '../../helpers/keys';
import { runDmr, type DmrRun } from '../../helpers/run-dmr';
import { temporaryFolder } from '../../helpers/temporary-folder';

const police = makeIdentity('Police');
const tax = makeIdentity('Tax Office');
const thief = makeIdentity('Thief');
const folder = temporaryFolder();

const envOf = ({ id, privateKeyPem }: AgentIdentity, more: NodeJS.ProcessEnv = {}) => ({
  AGENT_ID: id,
  AGENT_PRIVATE_KEY: privateKeyPem.replaceAll('\n', '\\n'),
  ...more,
});

function file(name: string, content: unknown, mode = 0o600): string {
  const target = path.join(folder, name);
  writeFileSync(target, typeof content === 'string' ? content : JSON.stringify(content), { mode });
  chmodSync(target, mode);
  return target;
}

/** Runs `keys check`, for a program; nothing of it may hold a private key. */
async function check(args: string[], env: NodeJS.ProcessEnv): Promise<DmrRun & { outcome: string; message: string }> {
  const run = await runDmr(['keys', 'check', '--json', ...args], env);
  expect(`${run.out}${run.err}`).not.toContain('PRIVATE KEY--');
  return { ...run, ...(JSON.parse(run.out) as { outcome: string; message: string }) };
}

const flat = (agent: AgentIdentity, certificate = agent.publicKeyPem) => ({
  id: agent.id,
  name: agent.name,
  authentication_certificate: certificate,
});

describe('dmr keys check with a list in a file', () => {
  const list = file('list.json', { response: [flat(police), flat(tax)] });

  it.each([
    ['an answer of CentOps', { response: [flat(police)] }],
    ['a page of CentOps', { response: { items: [{ ...flat(police), id: undefined, clientId: police.id }], page: 1 } }],
    ['the list of a server', [[toAgentRecord(police)]]],
    ['a bare list', [toAgentRecord(police), toAgentRecord(tax)]],
    ['line breaks written as \\n', { response: [flat(police, police.publicKeyPem.replaceAll('\n', '\\n'))] }],
  ])('says that the key fits: %s', async (_, content) => {
    const result = await check(['--list', file('form.json', content)], envOf(police));
    expect(result).toMatchObject({ code: 0, outcome: 'FITS', source: 'file' });
  });

  it('says so to people, with both fingerprints and the public key', async () => {
    const { code, out } = await runDmr(['keys', 'check', '--list', list], envOf(police));
    expect(code).toBe(0);
    expect(out).toContain(`fits the public key that is listed for agent ${police.id} ("Police")`);
    const [own, listed] = [...out.matchAll(/SHA256:\S+/g)].map(String);
    expect(own).toBe(listed);
    expect(out).toContain(police.publicKeyPem);
  });

  it('says that the key does not fit', async () => {
    const result = await check(['--list', list], envOf({ ...police, privateKeyPem: thief.privateKeyPem }));
    expect(result).toMatchObject({ code: 1, outcome: 'DOES_NOT_FIT', publicKey: thief.publicKeyPem });
    expect(result.message).toContain('have CentOps list the public key below');
  });

  it('says that the agent is not listed, or under another spelling', async () => {
    expect(await check(['--list', list], envOf(thief))).toMatchObject({ code: 2, outcome: 'NOT_LISTED' });
    const upper = await check(['--list', list, '--id', police.id.toUpperCase()], envOf(police));
    expect(upper).toMatchObject({ code: 2, outcome: 'NOT_LISTED' });
    expect(upper.message).toContain(`is listed as ${police.id}`);
  });

  it.each([
    ['no key', [flat(police, 'a certificate')]],
    ['the private key', [flat(police, police.privateKeyPem)]],
    ['two keys', [flat(police), flat(police, thief.publicKeyPem)]],
  ])('says that a list is forged or wrong: %s', async (_, response) => {
    const result = await check(['--list', file('wrong.json', { response })], envOf(police));
    expect(result).toMatchObject({ code: 3, outcome: 'LISTED_KEY_UNUSABLE' });
  });

  it.each([
    ['that is no JSON', '{"response":'],
    ['that is no list', { agents: [] }],
  ])('cannot say anything with a file %s', async (_, content) => {
    const result = await check(['--list', file('none.json', content)], envOf(police));
    expect(result).toMatchObject({ code: 69, outcome: 'LIST_UNREADABLE' });
  });

  it('takes the key from a file, and warns when others can read it', async () => {
    const wide = file('wide.pem', police.privateKeyPem, 0o644);
    const result = await check(['--list', list, '--key', wide, '--id', police.id], {});
    expect(result.code).toBe(0);
    expect(result.err).toContain('mode 644');
    const narrow = file('narrow.pem', police.privateKeyPem);
    expect((await check(['--list', list, '--key', narrow, '--id', police.id], {})).err).toBe('');
  });

  it('takes variables from a file, and those of the environment before them', async () => {
    const lines = Object.entries(envOf(police)).map(([name, value]) => `${name}=${value}`);
    const envFile = file('agent.env', lines.join('\n'));
    expect((await check(['--list', list, '--envfile', envFile], {})).code).toBe(0);
    expect((await check(['--list', list, '--envfile', envFile], { AGENT_ID: thief.id })).code).toBe(2);
  });

  it('takes the key from the file that AGENT_PRIVATE_KEY_FILE names, unless --key names another', async () => {
    const lines = [`AGENT_ID=${police.id}`, `AGENT_PRIVATE_KEY_FILE=${file('own.pem', police.privateKeyPem)}`];
    const envFile = file('with-file.env', lines.join('\n'));
    expect((await check(['--list', list, '--envfile', envFile], {})).code).toBe(0);
    const other = ['--key', file('other.pem', thief.privateKeyPem)];
    expect((await check(['--list', list, '--envfile', envFile, ...other], {})).code).toBe(1);
  });

  it.each([
    ['holds none', 'no.pem', 65, 'AGENT_PRIVATE_KEY_FILE holds no key'],
    ['is not there', undefined, 78, 'AGENT_PRIVATE_KEY_FILE: wants a file that can be read'],
  ])('says that the file of AGENT_PRIVATE_KEY_FILE %s', async (_, name, code, why) => {
    const keyFile = name ? file(name, 'no key') : path.join(folder, 'nowhere');
    const result = await check(['--list', list], { AGENT_ID: police.id, AGENT_PRIVATE_KEY_FILE: keyFile });
    expect(result).toMatchObject({ code, message: expect.stringContaining(why) as string });
  });

  it('cannot choose between a key and a file with one', async () => {
    const both = envOf(police, { AGENT_PRIVATE_KEY_FILE: file('both.pem', police.privateKeyPem) });
    expect((await check(['--list', list], both)).code).toBe(78);
  });

  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
  const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  it.each([
    ['of 1024 bits', short.export({ type: 'pkcs8', format: 'pem' }).toString()],
    ['that is none', 'a key'],
    ['that is public', police.publicKeyPem],
    ['on a curve', elliptic.export({ type: 'pkcs8', format: 'pem' }).toString()],
  ])('refuses a private key %s', async (_, key) => {
    const result = await check(['--list', list, '--key', file('bad.pem', key)], { AGENT_ID: police.id });
    expect(result).toMatchObject({ code: 65, outcome: 'KEY_INVALID' });
    expect(result.message).toContain('wants an RSA private key of at least 2048 bits');
  });

  it.each(['--key', '--envfile'])('says that the file of %s is not there', async (option) => {
    const result = await check(['--list', list, option, path.join(folder, 'nowhere')], envOf(police));
    expect(result).toMatchObject({ code: 66, outcome: 'FILE_UNREADABLE' });
  });

  it.each<[string[], NodeJS.ProcessEnv, number, string]>([
    [[], envOf(police), 64, 'where is the list?'],
    [['--list', 'x', '--server'], envOf(police), 64, 'exclude each other'],
    [['--centops'], envOf(police), 64, 'wants CENTOPS_CONFIGURATION_URL'],
    [['--server'], envOf(police), 64, 'wants DMR_SERVER_WEBSOCKET_URL'],
    [['--list', 'x', '--id', 'me'], envOf(police), 64, '--id wants a UUID'],
    [['--list', 'x'], { AGENT_PRIVATE_KEY: police.privateKeyPem }, 78, 'AGENT_ID: wants a UUID, got nothing'],
    [['--list', 'x'], { AGENT_ID: police.id }, 78, 'AGENT_PRIVATE_KEY: wants'],
    [['--centops'], envOf(police, { CENTOPS_CONFIGURATION_API_KEY: 'k' }), 78, 'CENTOPS_CONFIGURATION_API_SECRET'],
  ])('ends %j with a word about what is missing', async (args, env, code, why) => {
    const result = await check(args, env);
    expect({ code: result.code, told: result.err.includes(why) }).toEqual({ code, told: true });
  });
});

describe('dmr keys check with CentOps', () => {
  let centOps: CentOps;
  beforeAll(async () => (centOps = await startCentOps([police, tax])));
  afterAll(() => centOps.close());

  it('asks it as a server does, where its URL is set', async () => {
    const env = envOf(police, { CENTOPS_CONFIGURATION_URL: centOps.url });
    expect(await check([], env)).toMatchObject({ code: 0, outcome: 'FITS', source: 'centops' });
  });

  it('reads every page, with API key and secret', async () => {
    centOps.agents = [tax, thief, police];
    const login = {
      CENTOPS_CONFIGURATION_API_KEY: centOps.apiKey,
      CENTOPS_CONFIGURATION_API_SECRET: centOps.apiSecret,
    };
    const url = { CENTOPS_CONFIGURATION_URL: centOps.pagedUrl };
    expect(await check([], envOf(police, { ...url, ...login }))).toMatchObject({ code: 0 });
    const wrong = { ...login, CENTOPS_CONFIGURATION_API_SECRET: 'wrong' };
    const refused = await check([], envOf(police, { ...url, ...wrong }));
    expect(refused).toMatchObject({ code: 69, outcome: 'CENTOPS_REFUSED' });
    expect(refused.message).toContain('401');
  });

  it('cannot say anything while CentOps is away', async () => {
    const env = envOf(police, { CENTOPS_CONFIGURATION_URL: 'http://127.0.0.1:1/agents' });
    expect(await check([], env)).toMatchObject({ code: 69, outcome: 'CENTOPS_UNREACHABLE' });
  });
});

describe('dmr keys check with a deployed server', () => {
  let server: DeployedServer;
  beforeAll(async () => (server = await DeployedServer.start({ agents: [police, tax] })));
  afterAll(() => server.close());
  const at = (agent: AgentIdentity, url = server.url) =>
    envOf(agent, { DMR_SERVER_WEBSOCKET_URL: url, WEBSOCKET_RECONNECTION_DELAY: '20' });

  it('logs in, compares and leaves', async () => {
    expect(await check([], at(police))).toMatchObject({ code: 0, outcome: 'FITS', source: 'server' });
    await server.until(({ online }) => online.length === 0);
  });

  it('goes on to the next of several servers', async () => {
    expect(await check([], at(police, `http://127.0.0.1:1,${server.url}`))).toMatchObject({ code: 0 });
  });

  it.each([
    ['another key', { ...police, privateKeyPem: thief.privateKeyPem }],
    ['an agent that is not listed', thief],
  ])('tells of a refusal without a reason: %s', async (_, agent) => {
    expect(await check([], at(agent))).toMatchObject({ code: 1, outcome: 'REFUSED' });
  });

  it('cannot say anything while no server is there', async () => {
    const result = await check([], at(police, 'http://127.0.0.1:1'));
    expect(result).toMatchObject({ code: 69, outcome: 'SERVER_UNREACHABLE' });
  });
});
