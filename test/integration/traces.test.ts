import { randomBytes } from 'node:crypto';
import { freePorts } from '../../scripts/lib/broker/free-ports';
import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot, type ChatbotRequest } from '../helpers/chatbot';
import { DeployedAgent } from '../helpers/deployed-agent';
import { DeployedServer } from '../helpers/deployed-server';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode, untilHealthy, type AgentNode } from '../helpers/mesh';
import type { ServerNode } from '../helpers/mesh';
import { OtlpReceiver, type ReceivedSpan } from '../helpers/otlp-receiver';
import { useVhost } from '../helpers/rabbitmq';
import { TcpProxy } from '../helpers/tcp-proxy';
import { temporaryFolder } from '../helpers/temporary-folder';

const { amqp } = useVhost();

const [tax, police, library] = [makeIdentity('Tax Office'), makeIdentity('Police'), makeIdentity('Library')];
const [court, school] = [makeIdentity('Court'), makeIdentity('School')];

const PLAIN = [
  'POST /v1/messages',
  'seal',
  'send to server',
  'accept',
  'deliver',
  'receive',
  'open',
  'POST to chatbot',
];
/** Each is the child of the one that it names. */
const PARENTS: Record<string, string> = {
  seal: 'POST /v1/messages',
  'send to server': 'POST /v1/messages',
  accept: 'send to server',
  deliver: 'accept',
  receive: 'deliver',
  open: 'receive',
  'POST to chatbot': 'receive',
};

const hex = (bytes: number) => randomBytes(bytes).toString('hex');

/** The trace of a chatbot, as its request carries it. */
function newTrace(flags = '01') {
  const [traceId, spanId] = [hex(16), hex(8)];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` };
}

const requestFor = (chatbot: Chatbot, { id }: { id: string }) =>
  chatbot.waitFor(({ body }) => (body as { id: string }).id === id);

const contextIn = ({ headers }: ChatbotRequest) => {
  const [version, traceId, spanId, flags] = String(headers['traceparent']).split('-');
  return { version, traceId, spanId, flags };
};

function byName(spans: ReceivedSpan[], name: string): ReceivedSpan {
  const found = spans.filter((span) => span.name === name);
  expect(found).toHaveLength(1);
  return found[0]!;
}

/** Checks that every span hangs where it belongs, the first one on the given span. */
function expectTree(spans: ReceivedSpan[], root: string): void {
  const parentOf = (name: string) => (PARENTS[name] ? byName(spans, PARENTS[name]).spanId : root);
  for (const { name, parent } of spans) expect({ name, parent }).toEqual({ name, parent: parentOf(name) });
}

let receiver: OtlpReceiver;
let centOps: CentOps;
let taxBot: Chatbot;
let policeBot: Chatbot;
let servers: ServerNode[];
let line: TcpProxy;
let taxAgent: AgentNode;
let policeAgent: AgentNode;
const dataDir = temporaryFolder();

const startTaxAgent = (options: { waitUntilHealthy?: boolean } = {}) =>
  startAgent(tax, `http://127.0.0.1:${line.port}`, taxBot.url, {
    env: { ...receiver.env, AGENT_DATA_DIR: dataDir, OTEL_SERVICE_NAME: 'tax-agent' },
    ...options,
  });

beforeAll(async () => {
  receiver = await OtlpReceiver.start();
  centOps = await startCentOps([tax, police, library, court, school]);
  [taxBot, policeBot] = await Promise.all([startChatbot(), startChatbot()]);
  const env = { ...receiver.env, MESSAGE_RETRY_DELAY_MS: '50', MESSAGE_RETRY_DELAY_MAX_MS: '50' };
  servers = await Promise.all([
    startServerNode(amqp, centOps.url, { env }),
    startServerNode(amqp, centOps.url, { env: { ...env, MESSAGE_DELIVERY_TIMEOUT_MS: '400' } }),
    startServerNode(amqp, centOps.url),
  ]);
  const [port] = (await freePorts(1)) as [number];
  line = new TcpProxy(port, { host: '127.0.0.1', port: Number(new URL(servers[0]!.url).port) });
  await line.open();
  taxAgent = await startTaxAgent();
  policeAgent = await startAgent(police, servers[1]!.url, policeBot.url, { env: receiver.env });
});

afterAll(async () => {
  for (const part of [policeAgent, taxAgent, ...(servers ?? [])]) await part?.stop();
  await line?.cut();
  await Promise.all([taxBot?.close(), policeBot?.close(), centOps?.close(), receiver?.close()]);
});

describe('a question over two nodes', () => {
  it('is one trace from the span of the asking chatbot to the request at the other one', async () => {
    const { traceId, spanId, traceparent } = newTrace();
    const question = chatMessage(police.id);
    const tracestate = 'vendor=value, other=1';
    expect((await post(taxAgent.url, question, { traceparent, tracestate })).status).toBe(200);
    const request = await requestFor(policeBot, question);
    const spans = await receiver.trace(traceId, PLAIN);
    expectTree(spans, spanId);
    expect(contextIn(request)).toEqual({
      version: '00',
      traceId,
      spanId: byName(spans, 'POST to chatbot').spanId,
      flags: '01',
    });
    expect(request.headers['tracestate']).toBe(tracestate);
    expect(request.body).toEqual({ ...question, senderId: tax.id });
  });

  it('says where each span was made, of which message, and what came of it', async () => {
    const { traceId, traceparent } = newTrace();
    const question = chatMessage(police.id);
    await post(taxAgent.url, question, { traceparent });
    const spans = await receiver.trace(traceId, PLAIN);
    const ids = { 'messaging.message.id': question.id, 'dmr.sender.id': tax.id, 'dmr.recipient.id': police.id };
    const queue = { 'messaging.system': 'rabbitmq', 'messaging.destination.name': police.id };
    const [a, b] = [taxAgent, policeAgent].map(({ broker }) => broker.nodeID);
    const [up, down] = servers.map(({ broker }) => broker.nodeID);
    const expected: Record<string, Partial<ReceivedSpan>> = {
      'POST /v1/messages': {
        ...{ node: a, service: 'tax-agent', kind: 2 },
        attributes: {
          ...{ 'http.request.method': 'POST', 'http.route': '/v1/messages', 'http.response.status_code': 200 },
          'messaging.message.id': question.id,
        },
      },
      'send to server': { node: a, kind: 4, attributes: { ...ids, 'dmr.outcome': 'taken', 'dmr.tries': 1 } },
      accept: { node: up, service: 'dmr-server', kind: 4, attributes: { ...ids, ...queue, 'dmr.outcome': 'accepted' } },
      deliver: { node: down, kind: 5, attributes: { ...ids, ...queue, 'dmr.outcome': 'delivered', 'dmr.returns': 0 } },
      receive: { node: b, service: 'dmr-agent', kind: 5, attributes: { ...ids, 'dmr.outcome': 'delivered' } },
      'POST to chatbot': { node: b, kind: 3, attributes: { 'http.response.status_code': 200 } },
    };
    for (const [name, what] of Object.entries(expected)) expect(byName(spans, name)).toMatchObject(what);
    expect(byName(spans, 'deliver').events.map(({ name }) => name)).toEqual(['sent', 'delivered']);
    expect(spans.filter(({ failed }) => failed)).toEqual([]);
  });

  it('begins a trace where the chatbot has none', async () => {
    const question = chatMessage(police.id);
    await post(taxAgent.url, question);
    const { traceId } = contextIn(await requestFor(policeBot, question));
    expectTree(await receiver.trace(String(traceId), PLAIN), '');
  });

  it('is recorded nowhere when the chatbot has decided so, and carries its trace all the same', async () => {
    const { traceId, traceparent } = newTrace('00');
    const question = chatMessage(police.id);
    await post(taxAgent.url, question, { traceparent });
    expect(contextIn(await requestFor(policeBot, question))).toMatchObject({ traceId, flags: '00' });
    const other = newTrace();
    await post(taxAgent.url, chatMessage(police.id), other); // what is recorded after it has arrived
    await receiver.trace(other.traceId, PLAIN);
    expect(receiver.spans.filter((span) => span.traceId === traceId)).toEqual([]);
  });

  it('that is refused says why in its spans', async () => {
    const { traceId, traceparent } = newTrace();
    const unknown = await post(taxAgent.url, chatMessage(makeIdentity('x').id), { traceparent });
    expect(unknown.status).toBe(404);
    const [span] = await receiver.trace(traceId, ['POST /v1/messages']);
    expect(span).toMatchObject({ failed: true, attributes: { 'error.type': 'RECIPIENT_UNKNOWN' } });
  });
});

describe('a message that is tried again', () => {
  it('stays in its trace: one delivery with its tries, one span for each POST to the chatbot', async () => {
    const { traceId, spanId, traceparent } = newTrace();
    const question = chatMessage(police.id);
    policeBot.answerNext({ status: 500, delayMs: 600 }, { delayMs: 600 });
    await post(taxAgent.url, question, { traceparent });
    const spans = await eventually(() => {
      const found = receiver.spans.filter((span) => span.traceId === traceId);
      return found.some(({ name }) => name === 'deliver') && found;
    });
    const deliver = byName(spans, 'deliver');
    expect(deliver.events.filter(({ name }) => name === 'sent').length).toBeGreaterThan(1);
    expect(deliver.events.at(-1)?.name).toBe('delivered');
    const all = await eventually(() => {
      const found = receiver.spans.filter((span) => span.traceId === traceId);
      return found.filter(({ name }) => name === 'POST to chatbot').length === 2 && found;
    });
    const received = all.filter(({ name }) => name === 'receive');
    expect(new Set(received.map(({ parent }) => parent))).toEqual(new Set([deliver.spanId]));
    const posts = all.filter(({ name }) => name === 'POST to chatbot');
    expect(posts).toMatchObject([
      { failed: true, attributes: { 'http.response.status_code': 500, 'error.type': 'status' } },
      { failed: false, attributes: { 'http.response.status_code': 200, 'http.request.resend_count': 1 } },
    ]);
    expect(new Set(posts.map(({ parent }) => parent)).size).toBe(1);
    expect(received.map((span) => span.spanId)).toContain(posts[0]?.parent);
    const requests = policeBot.received.filter(({ body }) => (body as { id: string }).id === question.id);
    expect(requests.map(contextIn)).toMatchObject(posts.map((span) => ({ traceId, spanId: span.spanId })));
    expect(byName(all, 'POST /v1/messages').parent).toBe(spanId);
  });

  it('stays in its trace when its recipient comes to another node', async () => {
    const { traceId, traceparent } = newTrace();
    const question = chatMessage(police.id);
    policeBot.answerNext('hang');
    await post(taxAgent.url, question, { traceparent });
    await requestFor(policeBot, question);
    const stopping = policeAgent.stop();
    const other = await startAgent(police, servers[0]!.url, policeBot.url, { env: receiver.env });
    await eventually(
      () => policeBot.received.filter(({ body }) => (body as { id: string }).id === question.id).length > 1,
    );
    await stopping;
    await other.stop();
    policeAgent = await startAgent(police, servers[1]!.url, policeBot.url, { env: receiver.env });
    const deliveries = await eventually(() => {
      const found = receiver.spans.filter((span) => span.traceId === traceId && span.name === 'deliver');
      return found.length >= 2 && found;
    });
    const accept = byName(
      receiver.spans.filter((span) => span.traceId === traceId),
      'accept',
    );
    expect(new Set(deliveries.map(({ parent }) => parent))).toEqual(new Set([accept.spanId]));
    const outcomes = deliveries.map(({ attributes }) => attributes['dmr.outcome']).sort();
    expect(outcomes).toEqual(['delivered', 'released']);
  });
});

describe('a message that is to be sent later', () => {
  const names = PLAIN;

  it('keeps its trace on the disk, through a restart of its agent', async () => {
    const { traceId, spanId, traceparent } = newTrace();
    await line.cut();
    await eventually(async () => (await fetch(`${taxAgent.url}/v1/health`)).status === 503);
    const question = chatMessage(police.id);
    const headers = { traceparent, tracestate: 'vendor=value', prefer: 'respond-async' };
    expect((await post(taxAgent.url, question, headers)).status).toBe(202);
    await taxAgent.stop();
    const before = await receiver.trace(traceId, ['POST /v1/messages', 'seal']);
    taxAgent = await startTaxAgent({ waitUntilHealthy: false });
    await line.open();
    await untilHealthy(taxAgent.url);
    const request = await requestFor(policeBot, question);
    expect(contextIn(request)).toMatchObject({ traceId });
    expect(request.headers['tracestate']).toBe('vendor=value');
    const spans = await receiver.trace(traceId, names);
    expectTree(spans, spanId);
    expect(byName(spans, 'send to server').node).toBe(taxAgent.broker.nodeID);
    expect(byName(spans, 'seal').node).toBe(byName(before, 'seal').node);
    expect(byName(spans, 'seal').node).not.toBe(taxAgent.broker.nodeID);
  });
});

describe('nodes that trace nothing', () => {
  let plain: AgentNode;
  let other: AgentNode;

  beforeAll(async () => {
    plain = await startAgent(library, servers[2]!.url, taxBot.url);
    other = await startAgent(court, servers[2]!.url, policeBot.url);
  });
  afterAll(async () => {
    await plain?.stop();
    await other?.stop();
  });

  it('pass the context on untouched', async () => {
    const { traceparent } = newTrace();
    const tracestate = 'a=1,b@c=d e';
    const question = chatMessage(court.id);
    expect((await post(plain.url, question, { traceparent, tracestate })).status).toBe(200);
    const { headers } = await requestFor(policeBot, question);
    expect(headers).toMatchObject({ traceparent, tracestate });
  });

  it.each([
    ['none at all', undefined],
    ['zeros alone', `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`],
    ['no parent', `00-${hex(16)}-${'0'.repeat(16)}-01`],
    ['upper case', `00-${hex(16)}-${hex(8)}-01`.replace(/[a-f]/g, 'A')],
    ['an unknown form', `ff-${hex(16)}-${hex(8)}-01`],
    ['any text', 'c4n4ry'],
  ])('never copy %s', async (_what, traceparent) => {
    const question = chatMessage(court.id);
    const headers = { ...(traceparent !== undefined && { traceparent }), tracestate: 'vendor=value' };
    expect((await post(plain.url, question, headers)).status).toBe(200);
    const request = await requestFor(policeBot, question);
    expect(request.headers).not.toHaveProperty('traceparent');
    expect(request.headers).not.toHaveProperty('tracestate');
  });

  it('leave the trace whole between nodes that do', async () => {
    const { traceId, spanId, traceparent } = newTrace();
    const question = chatMessage(police.id);
    await post(plain.url, question, { traceparent });
    await requestFor(policeBot, question);
    // Its agent and the node of its agent trace nothing.
    const spans = await receiver.trace(traceId, ['deliver', 'receive', 'open', 'POST to chatbot']);
    expect(byName(spans, 'deliver').parent).toBe(spanId);
    expect(byName(spans, 'receive').parent).toBe(byName(spans, 'deliver').spanId);
  });
});

describe('deployed peers', () => {
  it('take a message with the context in it, and send one without', async () => {
    const { traceId, traceparent } = newTrace();
    const deployed = await (await DeployedAgent.start({ url: servers[1]!.url, identity: school })).ready();
    try {
      const question = chatMessage(school.id);
      expect((await post(taxAgent.url, question, { traceparent })).status).toBe(200);
      await deployed.until(({ messages }) => messages[0]?.answer !== undefined);
      expect(deployed.messages).toMatchObject([{ opened: question.payload, answer: { status: 'ok' } }]);
      const names = ['POST /v1/messages', 'seal', 'send to server', 'accept', 'deliver'];
      const spans = await receiver.trace(traceId, names);
      expect(byName(spans, 'deliver').attributes['dmr.outcome']).toBe('delivered');
      const { traceparent: sentDown } = deployed.messages[0]?.envelope as unknown as { traceparent: string };
      expect(sentDown).toBe(`00-${traceId}-${byName(spans, 'deliver').spanId}-01`);

      const { payload } = chatMessage(police.id);
      expect(await deployed.send(police.id, payload)).toEqual({ status: 'ok' });
      const [sent] = deployed.sent;
      const { traceId: begun } = contextIn(await requestFor(policeBot, { id: sent!.id }));
      const rest = await receiver.trace(String(begun), ['accept', 'deliver', 'receive', 'open', 'POST to chatbot']);
      expect(byName(rest, 'accept').parent).toBe('');
    } finally {
      deployed.close();
    }
  });

  it('pass the context on as a server in the middle', async () => {
    const deployed = await DeployedServer.start({ agents: [library, court] });
    const asking = await startAgent(library, deployed.url, taxBot.url, { env: receiver.env });
    const asked = await startAgent(court, deployed.url, policeBot.url, { env: receiver.env });
    try {
      const { traceId, traceparent } = newTrace();
      const question = chatMessage(court.id);
      expect((await post(asking.url, question, { traceparent })).status).toBe(200);
      await requestFor(policeBot, question);
      const names = ['POST /v1/messages', 'seal', 'send to server', 'receive', 'open', 'POST to chatbot'];
      const spans = await receiver.trace(traceId, names);
      expect(byName(spans, 'receive').parent).toBe(byName(spans, 'send to server').spanId);
    } finally {
      await asking.stop();
      await asked.stop();
      await deployed.close();
    }
  });
});

describe('a collector that takes nothing', () => {
  it.each([
    ['is away', () => 'http://127.0.0.1:1'],
    ['never answers', () => receiver.url],
  ])('and %s neither holds up a message nor the end of a node', async (how, url) => {
    if (how === 'never answers') receiver.mode = 'hang';
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: url(),
      OTEL_BSP_SCHEDULE_DELAY: '10',
      OTEL_EXPORTER_OTLP_TIMEOUT: '3000',
    };
    const agent = await startAgent(library, servers[2]!.url, taxBot.url, { env });
    try {
      for (let count = 0; count < 20; count++) {
        const question = chatMessage(police.id);
        expect((await post(agent.url, question)).status).toBe(200);
        await requestFor(policeBot, question);
      }
      const asked = performance.now();
      await agent.stop();
      expect(performance.now() - asked).toBeLessThan(8000);
    } finally {
      receiver.mode = 'take';
      await agent.stop();
    }
  });
});
