import { randomUUID } from 'node:crypto';
import { POST_PROBLEMS } from '../../lib/openapi/problems';
import { EXAMPLE_MESSAGE } from '../../lib/openapi/examples';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { DeployedServer } from '../helpers/deployed-server';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, startAgent, type AgentNode } from '../helpers/mesh';
import { answerCheck, checkOf, operations } from '../helpers/openapi';

const tax = makeIdentity('Tax Office');
/** The recipient of the example. */
const police = { ...makeIdentity('Police'), id: EXAMPLE_MESSAGE.recipientId };

const POST = 'POST /v1/messages';
/** What takes a fault inside, or a thousand messages at once: shown by tests of their own. */
const ELSEWHERE = ['BAD_REQUEST', 'INTERNAL', 'RECIPIENT_KEY_INVALID', 'BUSY', 'STORAGE_FAILED', 'UPLINK_LOST'];

/** `status code` of every answer to a POST so far. */
const seen = new Set<string>();

/** A request whose answer must be as the document has it; resolves to its status and its code. */
async function ask(url: string, operation: string, init: RequestInit = {}, path = operation.split(' ')[1] ?? '') {
  const response = await fetch(`${url}${path}`, { method: operation.split(' ')[0], ...init });
  const text = await response.text();
  const check = answerCheck(operation, response.status);
  const body = (check ? JSON.parse(text) : undefined) as { code?: string } | undefined;
  expect({ operation, status: response.status, errors: check?.(body) === false ? check.errors : [] }).toEqual({
    operation,
    status: response.status,
    errors: [],
  });
  const headers = operations().get(operation)?.responses[response.status]?.headers ?? {};
  for (const [name, { required }] of Object.entries(headers as Record<string, { required?: boolean }>)) {
    if (required) expect(response.headers.get(name)).toEqual(expect.any(String));
  }
  const result = [response.status, body?.code].filter(Boolean).join(' ');
  if (operation === POST) seen.add(result);
  return { result, text, response };
}

const JSON_TYPE = { 'content-type': 'application/json' };
const post = (agent: AgentNode, body: unknown, headers: Record<string, string> = {}) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return ask(agent.url, POST, { headers: { ...JSON_TYPE, ...headers }, body: text }).then(({ result }) => result);
};
const ASYNC = { prefer: 'respond-async' };

describe('the REST interface as its document has it', () => {
  let server: DeployedServer;
  let chatbot: Chatbot;
  let agent: AgentNode;

  beforeAll(async () => {
    server = await DeployedServer.start({ agents: [tax, police] });
    chatbot = await startChatbot();
    const env = { MESSAGE_DELIVERY_TIMEOUT_MS: '300', OUTBOX_MAX_MESSAGES: '1' };
    agent = await startAgent(tax, server.url, chatbot.url, { env });
  });
  afterAll(async () => {
    await agent?.stop();
    await chatbot?.close();
    await server?.close();
  });

  it('takes its example, once, and says what became of it', async () => {
    expect(await post(agent, EXAMPLE_MESSAGE)).toBe('200');
    expect(await post(agent, { ...EXAMPLE_MESSAGE, timestamp: new Date().toISOString() })).toBe('409 ID_REUSED');
    const status = 'GET /v1/messages/{id}';
    expect((await ask(agent.url, status, {}, `/v1/messages/${EXAMPLE_MESSAGE.id}`)).result).toBe('200');
    expect((await ask(agent.url, status, {}, `/v1/messages/${randomUUID()}`)).result).toBe('404 MESSAGE_UNKNOWN');
  });

  it('refuses what it says that it refuses', async () => {
    const message = chatMessage(police.id);
    expect(await post(agent, { ...message, extra: 1 })).toBe('400 MESSAGE_INVALID');
    expect(await post(agent, '{')).toBe('400 BODY_NOT_JSON');
    expect(await post(agent, chatMessage(randomUUID()))).toBe('404 RECIPIENT_UNKNOWN');
    expect(await post(agent, chatMessage(police.id, 'x'.repeat(100 * 1024)))).toBe('413 BODY_TOO_LARGE');
    expect(await post(agent, message, { 'content-type': 'text/plain' })).toBe('415 CONTENT_TYPE_UNSUPPORTED');
    expect(await post(agent, message, { 'content-encoding': 'zip' })).toBe('415 ENCODING_UNSUPPORTED');
    expect(POST_PROBLEMS.flat().join(' ')).not.toMatch(/\bbr\b/); // which is refused as well
    expect(await post(agent, message, { 'content-encoding': 'br' })).toBe('415 ENCODING_UNSUPPORTED');
    const latin = { 'content-type': 'application/json; charset=iso-8859-1' };
    expect(await post(agent, message, latin)).toBe('415 CHARSET_UNSUPPORTED');
  });

  it('posts to the chatbot what it says that it posts', async () => {
    const back = await startAgent(police, server.url, chatbot.url);
    try {
      const message = chatMessage(tax.id);
      expect(await post(back, message)).toBe('200');
      const { body } = await chatbot.waitFor(({ body }) => (body as { id: string }).id === message.id);
      const check = checkOf('components schemas Arrival');
      expect({ errors: check(body) ? [] : check.errors }).toEqual({ errors: [] });
    } finally {
      await back.stop();
    }
  });

  it('says so when the server refuses, is silent, or has too much to take', async () => {
    server.answerWith({ status: 'error', error: 'Validation failed' });
    expect(await post(agent, chatMessage(police.id))).toBe('502 SERVER_REFUSED');
    server.answerWith(undefined);
    expect(await post(agent, chatMessage(police.id))).toBe('504 NO_ANSWER');
    expect(await post(agent, chatMessage(police.id), ASYNC)).toBe('202');
    expect(await post(agent, chatMessage(police.id), ASYNC)).toBe('503 OUTBOX_FULL');
    server.answerNormally();
  });

  it('tells operators how it is, and what it is', async () => {
    for (const path of ['/v1/health', '/v1/health/live', '/metrics', '/v1/openapi.json']) {
      const { result, text } = await ask(agent.url, `GET ${path}`);
      expect({ path, result, empty: text === '' }).toMatchObject({
        path,
        result: expect.stringMatching(/200|503/) as string,
        empty: false,
      });
    }
    const { text } = await ask(agent.url, 'GET /v1/openapi.json');
    expect(Object.keys((JSON.parse(text) as { paths: object }).paths)).toContain('/v1/messages');
  });

  it('shows a page whose policy lets in nothing but its own files', async () => {
    const page = await fetch(`${agent.url}/v1/docs`);
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    const links = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link);
    expect(links).toHaveLength(3);
    for (const link of links) expect((await fetch(`${agent.url}${link}`)).status).toBe(200);
    const { text } = await ask(agent.url, 'GET /metrics');
    expect(text).toMatch(/dmr_http_success_total\{method="GET",route="\/v1\/docs\/:id",status="200"\} 2/);
  });

  it('says so while no server is there', async () => {
    const away = await startAgent(tax, 'http://127.0.0.1:1', chatbot.url, {
      env: { MESSAGE_DELIVERY_TIMEOUT_MS: '100' },
      waitUntilHealthy: false,
    });
    try {
      expect(await post(away, chatMessage(police.id))).toBe('502 UPLINK_DOWN');
      expect(await post(away, chatMessage(police.id), ASYNC)).toBe('503 AGENT_LIST_MISSING');
      await eventually(async () => expect((await ask(away.url, 'GET /v1/health')).result).toBe('503'));
    } finally {
      await away.stop();
    }
  });

  it('has shown every answer to a message but those that need a fault inside', () => {
    const documented = POST_PROBLEMS.filter(([, code]) => !ELSEWHERE.includes(code)).map(
      ([status, code]) => `${status} ${code}`,
    );
    expect([...seen].sort()).toEqual(['200', '202', ...documented].sort());
  });
});
