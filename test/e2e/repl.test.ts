import { randomUUID } from 'node:crypto';
import type { Purged, Replayed } from '../../lib/dlq/dead-letters';
import type { DeadLetter } from '../../lib/dlq/letter';
import type { DlqSummary } from '../../lib/dlq/operations';
import type { QueueRow } from '../../lib/dlq/queue-watch';
import type { AgentsOverview } from '../../lib/router/agents-overview';
import type { RoutingTable } from '../../lib/router/routes';
import type { Whereabouts } from '../../lib/router/whereabouts';
import { startCentOps, type CentOps } from '../helpers/centops';
import { DeployedAgent } from '../helpers/deployed-agent';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { NodeProcess, serverEnv } from '../helpers/processes';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';
import { Repl } from '../helpers/repl';

const { amqp } = useVhost();

const tax = makeIdentity('Tax Office');
const police = makeIdentity('Police');
const DLQ = `${police.id}.dlq`;
const CANARY = 'a-canary-that-no-command-may-print';

describe('an operator at a REPL', () => {
  let centOps: CentOps;
  let repl: Repl;
  let agent: DeployedAgent;
  const nodes: NodeProcess[] = [];
  const queues = new Queues(amqp);
  let printed = '';

  beforeAll(async () => {
    centOps = await startCentOps([tax, police]);
    const start = () => NodeProcess.start('server', ['server'], serverEnv(amqp, centOps.url));
    nodes.push(...(await Promise.all([start(), start()])));
    agent = await (await DeployedAgent.start({ url: nodes[0]?.url ?? '', identity: tax })).ready();
    repl = await Repl.start(serverEnv(amqp, centOps.url));
    // The prompt comes before the other nodes have introduced themselves.
    await eventually(async () => (await routes()).routes.some(({ node }) => node !== null), { timeoutMs: 20_000 });
    await eventually(async () => /these are: \S+, \S+/.test(await type('drain nobody')));
  }, 90_000);

  afterAll(async () => {
    agent?.close();
    expect(printed).not.toContain(CANARY);
    expect(await repl?.quit()).toBe(0);
    for (const node of nodes) node.kill();
    await Promise.all(nodes.map((node) => node.ended()));
    await queues.close();
    await centOps?.close();
  });

  const note = (text: string) => (printed += text) && text;
  const type = async (command: string) => note(await repl.type(command));
  const json = async <T>(command: string) => {
    const answer = await repl.json<T>(command);
    note(JSON.stringify(answer));
    return answer;
  };
  const routes = () => json<RoutingTable>('routes');
  const nodeOf = (index: number) => new RegExp(`server-\\S+-${nodes[index]?.pid}-\\w+`);

  it('asks who is where', async () => {
    expect(await type('routes')).toMatch(/^agent +name +node +socket since +queue +in flight +dlq\n/);
    expect((await routes()).routes).toHaveLength(2);
    expect(await type('agents')).toMatch(new RegExp(`${tax.id} +Tax Office +server-\\S+ +20\\S+Z +[\\da-f]{16} +-`));
    const { agents } = await json<AgentsOverview>('agents');
    expect(agents).toMatchObject([{ agentId: police.id, node: null }, { agentId: tax.id }]);
    expect(agents[1]?.node).toMatch(nodeOf(0));
    expect(await type('queues')).toMatch(/^queue +ready +consumers +node +in flight +oldest +arguments\n/);
    const rows = await json<QueueRow[]>('queues');
    expect(rows).toHaveLength(5);
    expect(rows.find(({ queue }) => queue === tax.id)).toMatchObject({ messages: 0, consumers: 1, inFlight: 0 });
  });

  it('asks for a message', async () => {
    const id = randomUUID();
    await agent.send(police.id, { text: CANARY }, { id });
    expect(await type(`message ${id}`)).toMatch(/state +waiting, as far as remembered\n/);
    expect(await json<Whereabouts>(`message ${id}`)).toMatchObject({ state: 'waiting', recipientId: police.id });
    expect(await type(`message ${randomUUID()}`)).toMatch(/state +unknown\n(.*\n)*Nobody remembers it; --search/);
    await queues.drain(police.id);
  });

  it('looks at dead letters, replays and purges them', async () => {
    const [first, second] = [randomUUID(), randomUUID()];
    const headers = { 'x-dmr-reason': 'NO_ACK', 'x-dmr-tries': 10, 'x-dmr-dead-at': new Date().toISOString() };
    const body = { senderId: tax.id, recipientId: police.id, type: 'ChatMessage', payload: CANARY };
    await queues.putAll(DLQ, [
      { id: first, body: { ...body, id: first }, headers },
      { id: second, body: { ...body, id: second }, headers: { ...headers, 'x-dmr-reason': 'BAD_ACK' } },
    ]);
    expect(await type('dlq list --reasons')).toMatch(new RegExp(`${DLQ} +2 +\\S+ s +NO_ACK 1, BAD_ACK 1`));
    expect(await json<DlqSummary[]>('dlq list')).toContainEqual(expect.objectContaining({ queue: DLQ, messages: 2 }));
    expect(await type(`dlq peek ${police.id} --limit 1`)).toMatch(
      new RegExp(`\n${first} .* NO_ACK +10 +0 +\\d+ +-\n$`),
    );
    expect(await json<DeadLetter[]>(`dlq peek ${police.id}`)).toMatchObject([{ id: first }, { id: second }]);
    expect(await type(`dlq replay ${police.id} --all --dry-run`)).toMatch(
      /replayed +0\n(.*\n)*note +nothing was changed/,
    );
    expect(await json<Replayed>(`dlq replay ${police.id} --ids ${first},x`)).toMatchObject({ replayed: 1, left: 1 });
    expect(await json<Whereabouts>(`message ${second} --search`)).toMatchObject({ state: 'dead-lettered', queue: DLQ });
    expect(await json<Purged>(`dlq purge ${police.id} --reason BAD_ACK`)).toMatchObject({ purged: 1, left: 0 });
    expect((await queues.drain(police.id)).map(({ messageId }) => messageId)).toEqual([first]);
  });

  it('hears in one line what it may not, or cannot, do', async () => {
    const stranger = randomUUID();
    for (const [command, line] of [
      [`dlq replay ${police.id}`, /^Say which messages: .*\n$/],
      [`dlq replay ${stranger} --all`, /^Agent \S+ is not listed by CentOps.*\n$/],
      ['dlq peek me', /^The 'agentId' field.*\n$/],
      ['dlq replay validation-failures --all', /^What was refused once is refused again.*\n$/],
      ['dlq empty', /^The command is: dlq list.*\n$/],
      ['dlq peek', /^Of which agent\?.*\n$/],
      ['sync later', /^The command is: sync now.*\n$/],
      ['drain nobody', /^There is no gateway nobody; these are: .*\n$/],
    ] as const) {
      expect(await type(command)).toMatch(line);
      expect(await json(command)).toMatchObject({ error: { message: expect.any(String) as string } });
    }
  });

  it('has CentOps asked', async () => {
    expect(await type('sync now')).toMatch(/^ok +true\nagents +2\n/);
    expect(await json('sync now --accept')).toMatchObject({ ok: true, agents: 2, missing: 0 });
  });

  it('drains a node, and lets agents in again', async () => {
    const { agents } = await json<AgentsOverview>('agents');
    const node = agents.find(({ agentId }) => agentId === tax.id)?.node ?? '';
    const health = async () => (await fetch(`${nodes[0]?.url}/v1/health`)).status;
    expect(await type(`drain ${node}`)).toBe(`${node} sent 1 agents away, and lets nobody in.\n`);
    expect(await health()).toBe(503);
    const other = /these are: (.*)\n/
      .exec(await type('drain nobody'))?.[1]
      ?.split(', ')
      .find((name) => name !== node);
    expect(await type(`drain ${other}`)).toMatch(/^No other gateway of the mesh takes agents/);
    expect(await json(`drain ${node} --undo`)).toMatchObject({ node });
    expect(await health()).toBe(200);
  });
});
