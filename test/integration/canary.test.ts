import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'amqplib';
import { dlqName, VALIDATION_FAILURES } from '../../lib/amqp/topology';
import { nodesWith } from '../../lib/mesh/nodes';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { eventually } from '../helpers/eventually';
import { makeAgentKeys, toAgentRecord, type AgentIdentity } from '../helpers/keys';
import { chatMessage, post, startServerNode } from '../helpers/mesh';
import { agentEnv, NodeProcess, serverEnv } from '../helpers/processes';
import { Queues } from '../helpers/queues';
import { makeDeployedToken } from '../helpers/deployed-agent';
import { OtlpReceiver } from '../helpers/otlp-receiver';
import { RawSocket } from '../helpers/raw-socket';
import { useVhost } from '../helpers/rabbitmq';

const { amqp, management } = useVhost();

jest.setTimeout(120_000);

const canary = (what: string) => `c4n4ry-${what}-${randomBytes(6).toString('hex')}`;

const CHAT = canary('chat');
const ODD_BODY = canary('invalid-body');
const CHATBOT_ERROR = canary('chatbot-error');
const API_KEY = canary('api-key');
const API_SECRET = canary('api-secret');
const COLLECTOR_KEY = canary('collector-key');

/** Keys of their own: those of the pool may stand in other tests' output. */
function identity(name: string): AgentIdentity {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return { id: randomUUID(), name, privateKeyPem: privateKey, publicKeyPem: publicKey };
}

const [tax, police] = [identity('Tax Office'), identity('Police')];

/** Lines of a private key; the first tells no more than its kind. */
const keyLines = ({ privateKeyPem }: AgentIdentity) => privateKeyPem.split('\n').slice(2, -2);

/** A CentOps that wants credentials, and in its anger says back what it was given. */
class AngryCentOps {
  private readonly server: Server = createServer((request, response) => {
    const { authorization = '' } = request.headers;
    if (this.angry) {
      const decoded = Buffer.from(authorization, 'base64').toString();
      return void response.writeHead(401).end(JSON.stringify({ error: `not with ${authorization}, ${decoded}` }));
    }
    const items = [tax, police].map(toAgentRecord).map(({ id, ...agent }) => ({ clientId: id, ...agent }));
    response.end(JSON.stringify({ response: { items, page: 1, pageSize: 100, totalPages: 1 } }));
  });
  angry = false;
  url = '';

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/clients`;
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}

const TALKATIVE = { LOGGER_LOG_LEVELS: 'error,warn,log,debug,verbose' };

describe('nothing leaks', () => {
  const queues = new Queues(amqp);
  const centOps = new AngryCentOps();
  const nodes: NodeProcess[] = [];
  /** Everything that anybody could read, by where it was. */
  const seen: Record<string, string> = {};
  const tokens: string[] = [];
  let taxBot: Chatbot;
  let policeBot: Chatbot;
  let server: NodeProcess;
  let taxAgent: NodeProcess;
  let policeAgent: NodeProcess;
  let closeTap: () => Promise<void>;
  let collector: OtlpReceiver;

  const note = (where: string, what: unknown) => {
    seen[where] = `${seen[where] ?? ''}\n${typeof what === 'string' ? what : JSON.stringify(what)}`;
  };

  async function start(role: string, env: NodeJS.ProcessEnv, options?: { healthy: boolean }): Promise<NodeProcess> {
    const node = await NodeProcess.start(
      role,
      role === 'repl' ? [] : [role],
      { ...TALKATIVE, ...traced(), ...env },
      options,
    );
    nodes.push(node);
    return node;
  }

  const traced = () => ({ ...collector.env, OTEL_EXPORTER_OTLP_HEADERS: `x-key=${COLLECTOR_KEY}` });

  const serverConfig = (format: string) => ({
    ...serverEnv(amqp, centOps.url),
    CENTOPS_CONFIGURATION_API_KEY: API_KEY,
    CENTOPS_CONFIGURATION_API_SECRET: API_SECRET,
    CENTOPS_CONFIGURATION_CRON_TIME: '* * * * * *',
    MESSAGE_DELIVERY_MAX_TRIES: '2',
    MESSAGE_RETRY_DELAY_MS: '10',
    MESSAGE_RETRY_DELAY_MAX_MS: '10',
    LOGGER_FORMAT: format,
  });

  beforeAll(async () => {
    await centOps.listen();
    collector = await OtlpReceiver.start();
    [taxBot, policeBot] = await Promise.all([startChatbot(), startChatbot()]);
    closeTap = await tapTransporter();
    server = await start('server', serverConfig('json'));
    [taxAgent, policeAgent] = await Promise.all([
      start('agent', agentEnv(tax, server.url, taxBot.url)),
      start('agent', { ...agentEnv(police, server.url, policeBot.url), LOGGER_FORMAT: 'pretty' }),
    ]);
  });

  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.stop().finally(() => node.kill())));
    await Promise.all([taxBot?.close(), policeBot?.close(), centOps.close(), closeTap?.(), queues.close()]);
    await collector?.close();
  });

  /** Reads along what the nodes of the mesh tell each other. */
  async function tapTransporter(): Promise<() => Promise<void>> {
    const { host: hostname, port, user: username, password, vhost } = amqp;
    const connection = await connect({ hostname, port, username, password, vhost });
    connection.on('error', () => undefined); // the test closes all connections of its vhost
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    for (const packet of ['DISCOVER', 'INFO', 'HEARTBEAT', 'DISCONNECT', 'PING']) {
      const exchange = `MOL-dmr.${packet}`;
      await channel.assertExchange(exchange, 'fanout');
      const { queue } = await channel.assertQueue('', { exclusive: true });
      await channel.bindQueue(queue, exchange, '');
      await channel.consume(queue, (message) => note(packet, message?.content.toString() ?? ''), { noAck: true });
    }
    return () => connection.close().catch(() => undefined);
  }

  const ask = (content = CHAT) => post(taxAgent.url, chatMessage(police.id, content));

  it('while messages go their way', async () => {
    for (let count = 0; count < 3; count++) expect((await ask()).status).toBe(200);
    // And back: of the two agents one logs as JSON, which shows what `pretty` cuts off.
    expect((await post(policeAgent.url, chatMessage(tax.id, CHAT))).status).toBe(200);
    await eventually(() => policeBot.received.length === 3 && taxBot.received.length === 1);
    for (const { received } of [policeBot, taxBot]) expect(JSON.stringify(received)).toContain(CHAT);
  });

  it('while chatbots fail and seals do not open', async () => {
    policeBot.answerWith({ status: 500, body: CHATBOT_ERROR });
    expect((await ask()).status).toBe(200);
    policeBot.answerNext('close', 'close');
    expect((await ask()).status).toBe(200);
    await queues.waitFor(dlqName(police.id), 2).then((dead) =>
      note(
        'headers of the DLQ',
        dead.map(({ headers, messageId }) => ({ headers, messageId })),
      ),
    );
    policeBot.answerWith({});
  });

  it('while requests are refused', async () => {
    const valid = chatMessage(police.id);
    const bodies: unknown[] = [
      `{"id": "${ODD_BODY}`,
      `"${ODD_BODY}"`,
      [ODD_BODY],
      { ...valid, id: ODD_BODY },
      { ...valid, timestamp: ODD_BODY, type: ODD_BODY, recipientId: ODD_BODY },
      { ...valid, payload: { chat: ODD_BODY, messages: ODD_BODY } },
      {
        ...valid,
        payload: { chat: { id: ODD_BODY }, messages: [{ id: ODD_BODY, content: [{ toString: ODD_BODY }] }] },
      },
      `${' '.repeat(110_000)}"${ODD_BODY}"`,
    ];
    const odd = { traceparent: ODD_BODY, tracestate: ODD_BODY };
    for (const body of bodies) note('REST', await post(taxAgent.url, body, odd));
    note('REST', await post(taxAgent.url, valid, { 'content-type': ODD_BODY }));
    note('REST', await post(taxAgent.url, chatMessage(randomUUID(), CHAT)));
  });

  it('while logins and envelopes are refused', async () => {
    const token = await makeDeployedToken({ ...tax, privateKeyPem: makeAgentKeys().privateKeyPem });
    tokens.push(token, await makeDeployedToken(tax));
    for (const text of [token, `${token.slice(0, -4)}AAAA`, token.split('.').slice(0, 2).join('.')]) {
      const response = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`, {
        headers: { authorization: `Bearer ${text}` },
      });
      note('handshake', await response.text());
    }
    await expect(
      Promise.race([RawSocket.open(server.url, { ...tax, privateKeyPem: makeAgentKeys().privateKeyPem }), never(1000)]),
    ).rejects.toThrow();
    const socket = await RawSocket.open(server.url, tax);
    const envelope = {
      id: randomUUID(),
      senderId: tax.id,
      recipientId: police.id,
      type: 'ChatMessage',
      payload: 'x',
      timestamp: new Date().toISOString(),
    };
    const odd: unknown[] = [
      ODD_BODY,
      [ODD_BODY],
      { ...envelope, payload: [ODD_BODY] },
      { ...envelope, timestamp: ODD_BODY },
      { ...envelope, senderId: [{ toString: ODD_BODY }] },
      { ...envelope, type: ODD_BODY },
      { ...envelope, type: 'x', traceparent: ODD_BODY, tracestate: ODD_BODY },
    ];
    for (const message of odd) note('acks of the server', await socket.emit(message));
    const accepted = { ...envelope, payload: 'not.a.seal.at.all' };
    note('acks of the server', await socket.emit(accepted));
    socket.close();
    const filed = await queues.waitFor(VALIDATION_FAILURES, odd.length + 1);
    // What the message was is what an operator looks for there; what we say about it is ours.
    note(
      'validation-failures',
      filed.map(({ headers, body }) => ({ headers, errors: (body as { errors: unknown }).errors })),
    );
  });

  it('while CentOps is angry and the broker goes away', async () => {
    centOps.angry = true;
    await eventually(() => server.output.includes('401'));
    await queues.close();
    await management.closeConnections(4);
    note('REST', await ask());
    await eventually(async () => (await fetch(`${server.url}/v1/health`)).status === 200, { timeoutMs: 20_000 });
    note('calls', await inMesh());
  });

  /** What a node of the mesh is told by all others. */
  async function inMesh(): Promise<string> {
    const plain = await startServerNode(amqp, 'http://127.0.0.1:1/', { only: ['dlq-monitor'] });
    try {
      await plain.broker.waitForServices('gateway.io', 10_000);
      const [nodeID] = nodesWith(plain.broker, 'gateway.io');
      const options = { withSettings: true, withActions: true, withEvents: true };
      const ask = (action: string) =>
        plain.broker.call(`$node.${action}`, action === 'services' ? options : {}, { nodeID });
      return JSON.stringify(await Promise.all(['services', 'list', 'actions', 'events', 'health', 'metrics'].map(ask)));
    } finally {
      await plain.stop();
    }
  }

  it('while processes are started that cannot', async () => {
    const damaged = tax.privateKeyPem.slice(0, 600);
    const wrong = [
      start('agent', { ...agentEnv(tax, server.url, taxBot.url), AGENT_PRIVATE_KEY: damaged }, { healthy: false }),
      start('agent', { ...agentEnv(tax, `${server.url}/odd`, taxBot.url) }, { healthy: false }),
      start(
        'server',
        { ...serverConfig('pretty'), RABBITMQ_DEFAULT_HOST: `amqp://dmr:${amqp.password}@host` },
        { healthy: false },
      ),
      start(
        'server',
        { ...serverConfig('pretty'), CENTOPS_CONFIGURATION_URL: `http://dmr:${API_SECRET}@127.0.0.1:1/` },
        { healthy: false },
      ),
      start('server', { ...serverConfig('pretty'), CENTOPS_CONFIGURATION_API_SECRET: '' }, { healthy: false }),
      start('server', { ...serverConfig('pretty'), OTEL_EXPORTER_OTLP_HEADERS: COLLECTOR_KEY }, { healthy: false }),
    ];
    for (const node of await Promise.all(wrong)) expect(await node.ended()).toBe(78);
  });

  it('while the broker refuses the password, at the most talkative level', async () => {
    const env = { ...serverConfig('pretty'), RABBITMQ_DEFAULT_PASS: `${amqp.password}-wrong` };
    const node = await start('server', env, { healthy: false });
    await eventually(() => /ACCESS.REFUSED/i.test(node.output), { timeoutMs: 20_000 });
  });

  it('anywhere', async () => {
    for (const node of [server, taxAgent, policeAgent]) {
      note('metrics', await (await fetch(`${node.url}/metrics`)).text());
      note('health', await (await fetch(`${node.url}/v1/health`)).text());
    }
    await eventually(() => collector.spans.some(({ name }) => name === 'POST to chatbot'));
    expect(collector.headers[0]).toMatchObject({ 'x-key': COLLECTOR_KEY });
    for (const body of collector.bodies) note('spans', body);
    for (const [index, node] of nodes.entries()) note(`output of process ${index}`, node.output);
    for (const place of [
      'INFO',
      'REST',
      'handshake',
      'acks of the server',
      'calls',
      'validation-failures',
      'headers of the DLQ',
      'spans',
      'metrics',
      'health',
      'output of process 0',
    ]) {
      expect({ [place]: (seen[place] ?? '').length > 20 }).toEqual({ [place]: true });
    }
    const basic = Buffer.from(`${API_KEY}:${API_SECRET}`).toString('base64');
    const secrets = [
      CHAT,
      ODD_BODY,
      CHATBOT_ERROR,
      API_KEY,
      API_SECRET,
      COLLECTOR_KEY,
      basic,
      amqp.password,
      ...tokens,
      ...tokens.map((token) => token.split('.')[2]!),
      ...[tax, police].flatMap(keyLines),
    ];
    const found = Object.entries(seen).flatMap(([where, text]) =>
      secrets.flatMap((secret) => around(where, text, secret)),
    );
    expect(found).toEqual([]);
  });

  /** Where a secret was read, with a little of what stands around it. */
  function around(where: string, text: string, secret: string): string[] {
    const at = text.indexOf(secret);
    return at < 0 ? [] : [`${where}: …${text.slice(Math.max(0, at - 200), at + 100)}…`];
  }
});

function never(ms: number): Promise<never> {
  return new Promise((_resolve, reject) => setTimeout(() => reject(new Error('no answer')), ms)); // a refused login never resolves
}
