import { generateKeyPair, randomUUID } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Cluster } from '../lib/broker/cluster';
import { freePorts } from '../lib/broker/free-ports';
import { brokerEnv } from '../demo/plan';
import { DrillCentOps } from './centops';
import { Child } from '../lib/child';
import type { ChatbotMode } from './chatbot';

/** One organisation under drill: its agent and its chatbot. */
export interface Member {
  id: string;
  name: string;
  publicKeyPem: string;
  privateKeyPem: string;
  /** Base URL of the agent's REST interface. */
  url: string;
  chatbotUrl: string;
  /** What its chatbot wrote down. */
  journal: string;
  agent: Child;
  chatbot: Child;
}

const ROOT = path.join(__dirname, '../..');
const RUNNER = path.join(ROOT, 'node_modules/moleculer/bin/moleculer-runner.js');
const CHATBOT = path.join(__dirname, 'chatbot-process.ts');
const NAMES = ['Tax Office', 'Police', 'Library', 'Rescue Board'];
const SERVERS = 2;

/** Two servers, four agents, their chatbots and CentOps, each of the first three kinds as processes of their own. */
export class DrillMesh {
  private constructor(
    readonly dir: string,
    readonly cluster: Cluster,
    readonly centOps: DrillCentOps,
    readonly servers: Child[],
    readonly members: Member[],
  ) {}

  /** Starts it and waits until every part does its work. */
  static async start(cluster: Cluster, dir: string): Promise<DrillMesh> {
    const members = await plannedMembers(dir);
    const centOps = new DrillCentOps(members);
    const listUrl = await centOps.start();
    const ports = await freePorts(SERVERS + 2 * members.length);
    const servers = ports.slice(0, SERVERS).map((port, i) => server(`server-${i + 1}`, dir, port, cluster, listUrl));
    const serverUrls = ports.slice(0, SERVERS).map((port) => `http://127.0.0.1:${port}`);
    const whole = members.map((member, i) => {
      const [agentPort, chatbotPort] = ports.slice(SERVERS + 2 * i) as [number, number];
      // Half of them begin at the first server, half at the second.
      const urls = i % 2 ? [...serverUrls].reverse() : serverUrls;
      return withProcesses(member, dir, agentPort, chatbotPort, urls);
    });
    const mesh = new DrillMesh(dir, cluster, centOps, servers, whole);
    await mesh.startAll();
    return mesh;
  }

  /** How a chatbot treats what is posted to it from now on. */
  async setChatbot({ chatbotUrl }: Member, mode: ChatbotMode): Promise<void> {
    await fetch(`${chatbotUrl}/mode`, { method: 'PUT', body: mode });
  }

  /** Ends every process and CentOps. */
  async stop(): Promise<void> {
    this.centOps.stop();
    const agents = this.members.map(({ agent }) => agent);
    await Promise.allSettled([...agents, ...this.servers].map((child) => child.terminate()));
    await Promise.all(this.members.map(({ chatbot }) => chatbot.kill()));
  }

  private async startAll(): Promise<void> {
    const groups = [
      [...this.servers, ...this.members.map(({ chatbot }) => chatbot)],
      this.members.map(({ agent }) => agent),
    ];
    for (const group of groups) {
      for (const child of group) child.start();
      await Promise.all(group.map((child) => child.ready()));
    }
  }
}

async function plannedMembers(dir: string) {
  return Promise.all(
    NAMES.map(async (name) => {
      const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
      return {
        id: randomUUID(),
        name,
        privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
        journal: path.join(dir, `journal-${slug(name)}.jsonl`),
      };
    }),
  );
}

function server(name: string, dir: string, port: number, { amqp }: Cluster, centOpsUrl: string): Child {
  const env = {
    ...common('server', port),
    ...brokerEnv(amqp),
    CENTOPS_CONFIGURATION_URL: centOpsUrl,
    CENTOPS_CONFIGURATION_CRON_TIME: '* * * * * *', // every second: nonsense must be met, not slept through
  };
  return new Child({ name, dir, args: runner('server'), env, readyUrl: health(port) });
}

function withProcesses(
  member: Awaited<ReturnType<typeof plannedMembers>>[number],
  dir: string,
  agentPort: number,
  chatbotPort: number,
  serverUrls: string[],
): Member {
  const chatbotUrl = `http://127.0.0.1:${chatbotPort}`;
  const env = {
    ...common('agent', agentPort),
    AGENT_ID: member.id,
    AGENT_PRIVATE_KEY: member.privateKeyPem.replaceAll('\n', '\\n'),
    AGENT_DATA_DIR: path.join(dir, 'data'),
    DMR_SERVER_WEBSOCKET_URL: serverUrls.join(','),
    OUTGOING_MESSAGE_ENDPOINT: `${chatbotUrl}/messages`,
  };
  const name = slug(member.name);
  const chatbotArgs = ['--import', 'tsx', CHATBOT, String(chatbotPort), member.journal];
  return {
    ...member,
    url: `http://127.0.0.1:${agentPort}`,
    chatbotUrl,
    agent: new Child({ name: `agent-${name}`, dir, args: runner('agent'), env, readyUrl: health(agentPort) }),
    chatbot: new Child({ name: `chatbot-${name}`, dir, args: chatbotArgs, env: bareEnv(), readyUrl: chatbotUrl }),
  };
}

function runner(role: string): string[] {
  return [RUNNER, '--config', path.join(ROOT, 'dist/moleculer.config.js'), path.join(ROOT, 'dist/services', role)];
}

function common(role: string, port: number): NodeJS.ProcessEnv {
  return { ...bareEnv(), DMR_ROLE: role, PORT: String(port), LOGGER_FORMAT: 'json' };
}

function bareEnv(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] };
}

function health(port: number): string {
  return `http://127.0.0.1:${port}/v1/health`;
}

function slug(name: string): string {
  return name.toLowerCase().replaceAll(' ', '-');
}
