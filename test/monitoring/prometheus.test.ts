import { createPublicKey } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { once } from 'node:events';
import { io } from 'socket.io-client';
import { DASHBOARDS } from '../../monitoring/dashboards';
import { ALERTS_FOLDER, alertRules } from '../helpers/alert-rules';
import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { NAMESPACE } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post, startAgent, startServerNode, type AgentNode, type ServerNode } from '../helpers/mesh';
import { startPrometheus, type Prometheus } from '../helpers/prometheus';
import { metricsIn } from '../helpers/promql';
import { useVhost } from '../helpers/rabbitmq';
import { RawSocket } from '../helpers/raw-socket';
import { temporaryFolder } from '../helpers/temporary-folder';
import { makeCertificate } from '../helpers/certificates';

const { amqp } = useVhost();
jest.setTimeout(60_000);

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const school = makeIdentity('School');
const library = makeIdentity('Library');

/** Series that come to be only when the servers are gone, at the end. */
const WITHOUT_SERVERS = ['dmr_outbox_failed_total'];

/** Series of one RabbitMQ and not of another: one of each pair has to be there. */
const EITHER: [string, string][] = [
  ['rabbitmq_raft_entry_commit_latency_seconds', 'rabbitmq_raft_max_commit_latency_seconds'],
];

const panels = Object.entries(DASHBOARDS).flatMap(([name, { rows }]) =>
  rows.flatMap((row) =>
    row.panels.flatMap((panel) => panel.queries.map(({ expr }) => ({ name, title: panel.title, expr }))),
  ),
);
const inPlace = (expr: string) =>
  expr.replaceAll('$__rate_interval', '1m').replaceAll('"$agent"', `"${police.id}"`).replaceAll('"$instance"', '".+"');

describe('a mesh that a real Prometheus watches', () => {
  let centOps: CentOps;
  let chatbot: Chatbot;
  let servers: ServerNode[];
  let agents: AgentNode[];
  let prometheus: Prometheus;
  let silent: RawSocket;

  beforeAll(async () => {
    const certified = {
      ...police,
      publicKeyPem: makeCertificate(createPublicKey(police.publicKeyPem), police.privateKeyPem),
    };
    [centOps, chatbot] = await Promise.all([startCentOps([tax, certified, school, library]), startChatbot()]);
    const env = {
      MESSAGE_DELIVERY_TIMEOUT_MS: '300',
      MESSAGE_RETRY_DELAY_MS: '100',
      DLQ_MONITOR_INTERVAL_MS: '500',
      DRAIN_TIMEOUT_MS: '500',
    };
    servers = await Promise.all([1, 2].map(() => startServerNode(amqp, centOps.url, { env })));
    const urls = servers.map(({ url }) => url);
    agents = await Promise.all(
      [tax, police].map((identity, index) =>
        startAgent(identity, urls[index] ?? '', chatbot.url, { env: { OUTBOX_MAX_AGE_MS: '3000' } }),
      ),
    );
    prometheus = await startPrometheus(
      configuration(
        urls,
        agents.map(({ url }) => url),
      ),
    );
  });

  afterAll(async () => {
    silent?.close();
    await prometheus?.stop();
    await Promise.all([...(agents ?? []), ...(servers ?? [])].map((node) => node.stop()));
    await Promise.all([centOps?.close(), chatbot?.close()]);
  });

  it('answers on every target of the example configuration', async () => {
    await eventually(async () => {
      const targets = await prometheus.targets();
      expect(Object.keys(targets)).toHaveLength(6);
      expect(new Set(Object.values(targets))).toEqual(new Set(['up']));
    });
  });

  it('has an answer to each question of a dashboard', async () => {
    await everythingHappens();
    const questions = panels.filter(({ expr }) => !metricsIn(expr).some((name) => WITHOUT_SERVERS.includes(name)));
    await eventually(
      async () => {
        const answers = await Promise.all(questions.map(({ expr }) => prometheus.query(inPlace(expr))));
        const unanswered = questions.filter((_question, index) => answers[index]?.length === 0);
        expect(unanswered).toEqual([]);
      },
      { timeoutMs: 20_000, everyMs: 500 },
    );
  });

  it('finds every alert healthy', async () => {
    const rules = await eventually(async () => {
      const loaded = (await prometheus.rules()).filter(({ file }) => path.dirname(file) === ALERTS_FOLDER);
      return loaded.every(({ health }) => health !== 'unknown') && loaded;
    });
    expect(rules.map(({ name }) => name).sort()).toEqual(
      alertRules()
        .map(({ name }) => name)
        .sort(),
    );
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
  });

  it('raises the alarm when the servers are gone', async () => {
    const alarms = ['DMRServerDown', 'DMRServersMissing', 'SocketDisconnected', 'DMROutboxFailed'];
    // A node that stood still for a second missed a scrape, which is an alarm until the next one.
    await eventually(async () => expect((await firing()).filter((name) => alarms.includes(name))).toEqual([]));
    const [sender] = agents as [AgentNode];
    await Promise.all(servers.splice(0).map((server) => server.stop()));
    expect(await post(sender.url, chatMessage(police.id), { prefer: 'respond-async' })).toMatchObject({ status: 202 });
    await eventually(async () => expect(await firing()).toEqual(expect.arrayContaining(alarms)), {
      timeoutMs: 20_000,
    });
  });

  it('has seen every series that an alert or a dashboard names', async () => {
    const rules = alertRules().flatMap(({ expr, queries }) => [expr, ...queries]);
    const known = new Set(await prometheus.metricNames());
    for (const [name, other] of EITHER) if (known.has(name) || known.has(other)) known.add(name).add(other);
    const named = [...rules, ...panels.map(({ expr }) => expr)].flatMap(metricsIn);
    expect([...new Set(named)].filter((name) => !known.has(name))).toEqual([]);
  });

  /** Each thing that counts something once, good and bad. */
  async function everythingHappens(): Promise<void> {
    const [sender, receiver] = agents as [AgentNode, AgentNode];
    const [first, second] = servers as [ServerNode, ServerNode];
    expect(await post(sender.url, chatMessage(police.id))).toMatchObject({ status: 200 });
    expect(await post(sender.url, chatMessage(police.id), { prefer: 'respond-async' })).toMatchObject({ status: 202 });
    expect(await post(sender.url, {})).toMatchObject({ status: 400 });
    await eventually(() => chatbot.received.length >= 2);
    chatbot.answerNext({ status: 503, delayMs: 700 }); // tried again, by the server and by the agent
    expect(await post(sender.url, chatMessage(police.id))).toMatchObject({ status: 200 });
    await eventually(() => chatbot.received.length >= 4);
    await threeDeadLetters(sender, first);
    silent = await RawSocket.open(second.url, school);
    await silent.emit({ id: 'no envelope' });
    await refusedLogin(second.url);
    const neverDelivered = [school, library]; // one never answers, the other never comes
    for (const { id } of neverDelivered) expect(await post(sender.url, chatMessage(id))).toMatchObject({ status: 200 });
    expect(await post(receiver.url, chatMessage(tax.id))).toMatchObject({ status: 200 });
  }

  /** Of which one is purged and one replayed: the chatbot refuses until all three are there, as copies may come. */
  async function threeDeadLetters(sender: AgentNode, { broker }: ServerNode): Promise<void> {
    chatbot.answerWith({ status: 400 });
    for (const message of [1, 2, 3].map(() => chatMessage(police.id)))
      expect(await post(sender.url, message)).toMatchObject({ status: 200 });
    const agentId = police.id;
    await eventually(async () => expect(await broker.call('dlq-monitor.peek', { agentId, limit: 3 })).toHaveLength(3));
    chatbot.answerWith({});
    for (const action of ['purge', 'replay']) {
      // Refused while the monitor itself looks at the head of the queue.
      await eventually(() => broker.call(`dlq-monitor.${action}`, { agentId, limit: 1, all: true }));
    }
  }

  async function refusedLogin(url: string): Promise<void> {
    const socket = io(url + NAMESPACE, { transports: ['websocket'], auth: { token: 'none' }, reconnection: false });
    await once(socket as unknown as NodeJS.EventEmitter, 'connect_error');
    socket.close();
  }

  /** Alerts that fire in the copy of the rules that does not wait. */
  async function firing(): Promise<string[]> {
    const rules = await prometheus.rules();
    return rules
      .filter(({ file, state }) => state === 'firing' && path.dirname(file) !== ALERTS_FOLDER)
      .map(({ name }) => name);
  }
});

/** The example configuration, with the targets and the pace of this test, and a copy of the rules that fire at once. */
function configuration(servers: string[], agents: string[]): string {
  const brokerMetrics = process.env['DMR_TEST_BROKER_METRICS'];
  if (!brokerMetrics) throw new Error("This test needs RabbitMQ's own metrics: the plugin rabbitmq_prometheus");
  const hosts = (urls: string[]) => JSON.stringify(urls.map((url) => new URL(url).host));
  const changes: [string | RegExp, string][] = [
    ['- alerts/*.yml', `- ${ALERTS_FOLDER}/*.yml\n  - ${impatientRules()}/*.yml`],
    [/(scrape_interval|evaluation_interval): \d+s/g, '$1: 1s'],
    ["['server:8075']", hosts(servers)],
    ["['agent-a:8077', 'agent-b:8077']", hosts(agents)],
    [/\['rabbitmq:15692'\]/g, JSON.stringify([brokerMetrics])],
  ];
  return changes.reduce(
    (text, [from, to]) => {
      const changed = text.replace(from, to);
      if (changed === text) throw new Error(`monitoring/prometheus.yml has no ${from.toString()} any more`);
      return changed;
    },
    readFileSync(path.join(ALERTS_FOLDER, '../prometheus.yml'), 'utf8'),
  );
}

function impatientRules(): string {
  const folder = path.join(temporaryFolder(), 'impatient');
  mkdirSync(folder);
  for (const name of readdirSync(ALERTS_FOLDER).filter((file) => file.endsWith('.yml'))) {
    const text = readFileSync(path.join(ALERTS_FOLDER, name), 'utf8');
    const atOnce = text.replaceAll(/^( +for:) .*$/gm, '$1 0s');
    // Prometheus takes no two samples of one alert for the same moment.
    writeFileSync(path.join(folder, name), atOnce.replaceAll(/^( +)severity: .*$/gm, '$&\n$1copy: impatient'));
  }
  return folder;
}
