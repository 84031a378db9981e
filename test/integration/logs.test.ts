import { randomBytes, randomUUID } from 'node:crypto';
import { readEntries, type LogEntry } from '../../scripts/demo/node-log';
import { startCentOps, type CentOps } from '../helpers/centops';
import { startChatbot, type Chatbot } from '../helpers/chatbot';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { chatMessage, post } from '../helpers/mesh';
import { agentEnv, NodeProcess, serverEnv } from '../helpers/processes';
import { Queues } from '../helpers/queues';
import { useVhost } from '../helpers/rabbitmq';
import { temporaryFolder } from '../helpers/temporary-folder';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

const { amqp } = useVhost();
const queues = new Queues(amqp);

jest.setTimeout(90_000);

const [tax, police, library] = [makeIdentity('Tax Office'), makeIdentity('Police'), makeIdentity('Library')];

let centOps: CentOps;
let chatbot: Chatbot;
let server: NodeProcess;
let taxAgent: NodeProcess;
let policeAgent: NodeProcess;

/** What a process has logged, as the collector of the demo reads it. */
function entriesOf(node: NodeProcess): LogEntry[] {
  const file = path.join(temporaryFolder(), 'node.log');
  writeFileSync(file, node.output);
  return readEntries(file);
}

const about = (node: NodeProcess, messageId: string) =>
  entriesOf(node).filter((entry) => entry.messageId === messageId);

const newTraceparent = (traceId: string) => `00-${traceId}-${randomBytes(8).toString('hex')}-01`;

beforeAll(async () => {
  centOps = await startCentOps([tax, police, library]);
  chatbot = await startChatbot();
  const talkative = { LOGGER_LOG_LEVELS: 'error,warn,log,debug', LOGGER_FORMAT: 'auto' };
  const tries = { MESSAGE_DELIVERY_MAX_TRIES: '2', MESSAGE_RETRY_DELAY_MS: '10', MESSAGE_RETRY_DELAY_MAX_MS: '10' };
  server = await NodeProcess.start('server', ['server'], { ...serverEnv(amqp, centOps.url), ...talkative, ...tries });
  const env = { ...talkative, OUTGOING_MESSAGE_RETRY_MS: '0' };
  [taxAgent, policeAgent] = await Promise.all(
    [tax, police].map((identity) =>
      NodeProcess.start('agent', ['agent'], { ...agentEnv(identity, server.url, chatbot.url), ...env }),
    ) as [Promise<NodeProcess>, Promise<NodeProcess>],
  );
});

afterAll(async () => {
  await Promise.all([taxAgent, policeAgent, server].map((node) => node?.stop().finally(() => node.kill())));
  await Promise.all([queues.close(), chatbot?.close(), centOps?.close()]);
});

describe('a message', () => {
  it('is told by both agents and the server, in one line for each thing that happens to it, with the same ids', async () => {
    const traceId = randomBytes(16).toString('hex');
    const question = chatMessage(police.id);
    expect((await post(taxAgent.url, question, { traceparent: newTraceparent(traceId) })).status).toBe(200);
    const told = await eventually(() => {
      const entries = [taxAgent, server, policeAgent].map((node) => about(node, question.id));
      const [sender, centre, recipient] = entries.map((each) => each.map(({ event }) => event));
      expect([sender, recipient]).toEqual([
        ['sealed', 'taken'],
        ['opened', 'handed-over'],
      ]);
      // The broker's confirm and the message come on two connections: either may be first.
      expect(centre?.toSorted()).toEqual(['accepted', 'delivered', 'sent']);
      expect(centre?.filter((event) => event !== 'accepted')).toEqual(['sent', 'delivered']);
      return entries;
    });
    const ids = { messageId: question.id, senderId: tax.id, recipientId: police.id, traceId };
    for (const entry of told.flat()) expect(entry).toMatchObject({ ...ids, level: 'debug' });
  });

  it('has no id of a trace where it belongs to none', async () => {
    const question = chatMessage(police.id);
    await post(taxAgent.url, question, { traceparent: 'c4n4ry' });
    const told = await eventually(() => {
      const entries = [taxAgent, server, policeAgent].flatMap((node) => about(node, question.id));
      return entries.some(({ event }) => event === 'delivered') && entries;
    });
    for (const entry of told) expect(entry).not.toHaveProperty('traceId');
  });

  it('that goes wrong is told as a warning, with the same ids, on the way to its dead-letter queue', async () => {
    const traceId = randomBytes(16).toString('hex');
    const question = chatMessage(police.id);
    chatbot.answerWith({ status: 500 });
    await post(taxAgent.url, question, { traceparent: newTraceparent(traceId) });
    await eventually(() => about(server, question.id).some(({ event }) => event === 'dead-lettered'));
    chatbot.answerWith({});
    const ids = { messageId: question.id, senderId: tax.id, recipientId: police.id, traceId };
    const dead = about(server, question.id).at(-1);
    expect(dead).toMatchObject({ ...ids, level: 'warn', event: 'dead-lettered', queue: `${police.id}.dlq` });
    const rejected = about(policeAgent, question.id).filter(({ event }) => event === 'rejected');
    expect(rejected[0]).toMatchObject({ ...ids, level: 'warn', types: ['DELIVERY_FAILED'] });
  });

  it('that cannot be sent is told as a warning', async () => {
    const traceId = randomBytes(16).toString('hex');
    const question = chatMessage(randomUUID());
    expect((await post(taxAgent.url, question, { traceparent: newTraceparent(traceId) })).status).toBe(404);
    const [entry] = await eventually(() => {
      const entries = about(taxAgent, question.id);
      return entries.length > 0 && entries;
    });
    expect(entry).toMatchObject({ level: 'warn', event: 'not-sent', code: 'RECIPIENT_UNKNOWN', traceId });
  });
});

describe('every line', () => {
  it('is an object with time, level, node, module and message; auto is json where there is no terminal', () => {
    for (const node of [taxAgent, server, policeAgent]) {
      const lines = node.output.trimEnd().split('\n');
      expect(lines.length).toBeGreaterThan(20);
      expect(entriesOf(node)).toHaveLength(lines.length);
      for (const entry of entriesOf(node)) {
        expect(entry).toMatchObject({
          time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
          level: expect.stringMatching(/^(error|warn|info|debug)$/) as string,
          node: expect.stringMatching(/^(server|agent)-/) as string,
          module: expect.stringMatching(/./) as string,
          message: expect.any(String) as string,
        });
      }
    }
  });

  it('of a login and a takeover names the agent', async () => {
    expect(entriesOf(server)).toContainEqual(expect.objectContaining({ event: 'login', agentId: police.id }));
    const second = await NodeProcess.start('agent', ['agent'], agentEnv(police, server.url, chatbot.url));
    second.kill();
    await eventually(() =>
      entriesOf(server).some(({ event, agentId }) => event === 'takeover' && agentId === police.id),
    );
  });

  it('is out when a process has been asked to stop', async () => {
    expect(await taxAgent.stop()).toBe(0);
    expect(entriesOf(taxAgent).at(-1)?.message).toMatch(/stopped/);
  });
});
