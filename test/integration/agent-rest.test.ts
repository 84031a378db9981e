import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { DeployedServer } from '../helpers/deployed-server';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode, type AgentNode, type ServerNode } from '../helpers/mesh';
import { useVhost } from '../helpers/rabbitmq';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');

describe("the agent's REST interface", () => {
  let centOps: CentOps;
  let server: ServerNode;
  let chatbot: Chatbot;
  let agent: AgentNode;

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    server = await startServerNode(amqp, centOps.url);
    chatbot = await startChatbot();
    agent = await startAgent(tax, server.url, chatbot.url);
  });

  afterAll(async () => {
    await agent?.stop();
    await server?.stop();
    await chatbot?.close();
    await centOps?.close();
  });

  it('answers a valid message with 200 and an empty body', async () => {
    expect(await post(agent.url, chatMessage(police.id))).toMatchObject({ status: 200, text: '' });
  });

  it.each(['; charset=utf-8', ';', '; charset="UTF-8";'])('takes the content type application/json%s', async (rest) => {
    const headers = { 'content-type': `application/json${rest}` };
    expect(await post(agent.url, chatMessage(police.id), headers)).toMatchObject({ status: 200 });
  });

  it('names every violated rule with its path, and repeats no value', async () => {
    const message = chatMessage(police.id, 'a secret of a citizen');
    const [first] = message.payload.messages;
    const broken = {
      ...message,
      id: 'secret-id',
      timestamp: '2026-11-20',
      extra: 1,
      payload: { ...message.payload, more: 1, messages: [{ ...first, chatId: 'secret-chat', mood: 'x' }] },
    };
    const answer = await post(agent.url, broken);
    expect(answer).toMatchObject({ status: 400, json: { code: 'MESSAGE_INVALID' } });
    const errors = answer.json?.errors as { path: string; rule: string }[];
    expect(errors.map(({ path, rule }) => `${path} ${rule}`).sort()).toEqual([
      ' objectStrict',
      'id uuid',
      'payload objectStrict',
      'payload.messages[0] objectStrict',
      'payload.messages[0].chatId uuid',
      'timestamp isoTimestamp',
    ]);
    expect(answer.text).not.toMatch(/secret/);
  });

  it.each([
    ['nothing', undefined],
    ['an array', []],
    ['no payload', { ...chatMessage(police.id), payload: undefined }],
    ['a payload of null', { ...chatMessage(police.id), payload: null }],
    ['another type', { ...chatMessage(police.id), type: 'Other' }],
  ])('answers %s with 400', async (_what, body) => {
    expect(await post(agent.url, body)).toMatchObject({ status: 400 });
  });

  it('answers what is not JSON with 400 and quotes none of it', async () => {
    const answer = await post(agent.url, '{"payload": top secret');
    expect(answer).toMatchObject({ status: 400, json: { code: 'BODY_NOT_JSON' } });
    expect(answer.text).not.toContain('secret');
  });

  it('answers 413 past 100 kB and takes what is just below', async () => {
    const message = chatMessage(police.id, '');
    const room = 100 * 1024 - JSON.stringify(message).length;
    const filled = (extra: number) => {
      const [first] = message.payload.messages;
      const messages = [{ ...first, content: 'x'.repeat(room + extra) }];
      return { ...message, payload: { ...message.payload, messages } };
    };
    expect(await post(agent.url, filled(1))).toMatchObject({ status: 413, json: { code: 'BODY_TOO_LARGE' } });
    expect(await post(agent.url, filled(0))).toMatchObject({ status: 200 });
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonish', 'application/json; charset=', ''])(
    'answers the content type "%s" with 415',
    async (type) => {
      const answer = await post(agent.url, chatMessage(police.id), { 'content-type': type });
      expect(answer).toMatchObject({ status: 415, json: { code: 'CONTENT_TYPE_UNSUPPORTED' } });
    },
  );

  it('answers another charset with 415, a message in it included', async () => {
    const [headers, body] = [{ 'content-type': 'application/json; charset=utf-16le' }, chatMessage(police.id)];
    for (const text of [JSON.stringify(body), Buffer.from(JSON.stringify(body), 'utf16le')]) {
      const response = await fetch(`${agent.url}/v1/messages`, { method: 'POST', headers, body: text });
      expect([response.status, await response.json()]).toEqual([
        415,
        expect.objectContaining({ code: 'CHARSET_UNSUPPORTED' }),
      ]);
    }
  });

  it('answers an id that cannot be decoded with 400', async () => {
    const response = await fetch(`${agent.url}/v1/messages/%E0%A4%A`);
    expect([response.status, await response.json()]).toEqual([400, expect.objectContaining({ code: 'BAD_REQUEST' })]);
  });

  it('answers an unknown recipient with 404', async () => {
    const answer = await post(agent.url, chatMessage('3f2b1c9a-8a3e-4c57-9d0e-0a1b2c3d4e5f'));
    expect(answer).toMatchObject({ status: 404, json: { code: 'RECIPIENT_UNKNOWN' } });
  });

  it.each([
    ['GET', '/v1/messages'],
    ['GET', '/v1/nothing'],
    ['POST', '/v1/health'],
    ['OPTIONS', '/v1/health'],
    ['OPTIONS', '/v1/messages'],
    ['GET', '/~node/list'],
    ['POST', '/v1/outbox/send'],
  ])('answers %s %s with 404', async (method, path) => {
    const headers = { 'access-control-request-method': 'POST' }; // as in a preflight, which there is none of
    const response = await fetch(`${agent.url}${path}`, { method, ...(method === 'OPTIONS' && { headers }) });
    expect({ status: response.status, body: (await response.json()) as object }).toMatchObject({
      status: 404,
      body: { code: 'NOT_FOUND' },
    });
  });

  it('counts what it answers under labels that no client chooses', async () => {
    await fetch(`${agent.url}/v1/a-path-of-the-client`);
    const text = await (await fetch(`${agent.url}/metrics`)).text();
    expect(text).toMatch(/dmr_http_success_total\{method="POST",route="\/v1\/messages",status="200"\} \d+/);
    expect(text).toMatch(/dmr_http_errors_total\{method="POST",route="\/v1\/messages",status="413"\} \d+/);
    expect(text).toMatch(/dmr_http_errors_total\{method="GET",route="other",status="404"\} \d+/);
    expect(text).not.toContain('a-path-of-the-client');
  });
});

describe('an agent whose server is not there', () => {
  it('answers 502, is alive but not healthy, and recovers by itself', async () => {
    const centOps = await startCentOps([tax, police]);
    const server = await startServerNode(amqp, centOps.url);
    const port = new URL(server.url).port;
    const chatbot = await startChatbot();
    const agent = await startAgent(tax, server.url, chatbot.url);
    await server.stop();

    await eventually(async () => (await fetch(`${agent.url}/v1/health`)).status === 503);
    expect((await fetch(`${agent.url}/v1/health/live`)).status).toBe(200);
    expect(await post(agent.url, chatMessage(police.id))).toMatchObject({ status: 502, json: { code: 'UPLINK_DOWN' } });

    const again = await startServerNode(amqp, centOps.url, { env: { PORT: port } });
    await eventually(async () => (await fetch(`${agent.url}/v1/health`)).status === 200);
    expect(await post(agent.url, chatMessage(police.id))).toMatchObject({ status: 200 });

    for (const part of [agent, again]) await part.stop();
    await chatbot.close();
    await centOps.close();
  });
});

describe('an agent at a server that misbehaves', () => {
  let server: DeployedServer;
  let chatbot: Chatbot;
  let agent: AgentNode;

  beforeAll(async () => {
    server = await DeployedServer.start({ agents: [tax, police] });
    chatbot = await startChatbot();
    const env = { MESSAGE_DELIVERY_TIMEOUT_MS: '300' };
    agent = await startAgent(tax, server.url, chatbot.url, { env });
  });

  afterAll(async () => {
    await agent?.stop();
    await chatbot?.close();
    await server?.close();
  });

  it('answers 504 when no ack comes within MESSAGE_DELIVERY_TIMEOUT_MS', async () => {
    server.answerWith(undefined);
    const answer = await post(agent.url, chatMessage(police.id));
    expect(answer).toMatchObject({ status: 504, json: { code: 'NO_ANSWER' } });
  });

  it('answers 502 with the reason when the server refuses', async () => {
    server.answerWith({ status: 'error', error: 'Validation failed' });
    const answer = await post(agent.url, chatMessage(police.id));
    expect(answer).toMatchObject({ status: 502, json: { code: 'SERVER_REFUSED' } });
    expect(answer.json?.message).toContain('Validation failed');
  });

  it.each([[null], ['ok'], [{ status: 'error' }], [{}], [42]])('takes the ack %j for a refusal: 502', async (ack) => {
    server.answerWith(ack);
    expect(await post(agent.url, chatMessage(police.id))).toMatchObject({ status: 502 });
  });
});
