import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { freePorts } from '../../scripts/lib/broker/free-ports';
import { importDefinitions, removeUsers, type DeployedUsers } from '../helpers/broker-definitions';
import { readCompose, targetOf, type ComposeService } from '../helpers/compose';
import { imagesOf } from '../helpers/dockerfile';
import { eventually } from '../helpers/eventually';
import { useVhost } from '../helpers/rabbitmq';
import { temporaryFolder } from '../helpers/temporary-folder';

const ROOT = path.join(__dirname, '../..');
const compose = readCompose();
const { services } = compose;
const images = imagesOf();
const NODES = ['centops', 'chatbot-a', 'chatbot-b', 'server', 'agent-a', 'agent-b'] as const;
const PORTS = { server: 8075, centops: 8076, 'agent-a': 8077, 'agent-b': 8077, 'chatbot-a': 8090, 'chatbot-b': 8090 };

const place = useVhost();

/** Docker is not at hand: the commands and variables of docker-compose.yml as processes, with other hosts and folders. */
describe('the services of docker compose', () => {
  const root = temporaryFolder();
  const started: ChildProcess[] = [];
  const ports = new Map<string, number>();
  let users: DeployedUsers;

  const imageOf = (service: ComposeService) => images[targetOf(service, compose) ?? ''] ?? { env: {}, cmd: [] };

  function run(name: string, more: Record<string, string> = {}): ChildProcess {
    const service = services[name] as ComposeService;
    const { env, cmd } = imageOf(service);
    const given = Object.entries({ ...env, ...service.environment }).map(([key, value]) => [key, local(name, value)]);
    const [program, ...args] = [...(service.command ?? cmd), ...(name === 'setup' ? [path.join(root, 'secrets')] : [])];
    expect(program).toBe('node');
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { PATH: process.env['PATH'], ...(Object.fromEntries(given) as Record<string, string>), ...more },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    started.push(child);
    return child;
  }

  /** What a container sees at /run/dmr, at /data and at other hosts, on this machine. */
  function local(name: string, value: string): string {
    const secrets = path.join(root, 'secrets', name);
    const here = value.replace('/run/dmr', secrets).replace(/^\/data$/, path.join(root, name));
    return here.replace(/\/\/([\w-]+):(\d+)/, (_, host: string, port: string) => {
      expect([host, PORTS[host as (typeof NODES)[number]]]).toEqual([host, Number(port)]);
      return `//127.0.0.1:${ports.get(host)}`;
    });
  }

  const url = (name: string, at: string) => `http://127.0.0.1:${ports.get(name)}${at}`;

  /** Waits as Compose would, by the health check of the service. */
  async function healthy(name: string): Promise<void> {
    const at = services[name]?.healthcheck?.test?.at(-1) ?? '';
    await eventually(async () => (await fetch(url(name, at))).status === 200, { timeoutMs: 30_000 });
  }

  async function start(...names: (typeof NODES)[number][]): Promise<void> {
    const { host, port, user, password, vhost } = users.server;
    const broker = {
      RABBITMQ_DEFAULT_HOST: host,
      RABBITMQ_DEFAULT_PORT: String(port),
      RABBITMQ_DEFAULT_USER: user,
      RABBITMQ_DEFAULT_PASS: password,
      RABBITMQ_DEFAULT_PASS_FILE: '', // that of another run
      RABBITMQ_DEFAULT_VHOST: vhost,
    };
    for (const name of names) run(name, { PORT: String(ports.get(name)), ...(name === 'server' && broker) });
    await Promise.all(names.map(healthy));
  }

  beforeAll(async () => {
    users = await importDefinitions(place);
    const free = await freePorts(NODES.length);
    NODES.forEach((name, index) => ports.set(name, free[index] as number));
    for (const mount of services['setup']?.volumes ?? []) {
      mkdirSync(path.join(root, 'secrets', mount.split(':/secrets/')[1] ?? ''), { recursive: true });
    }
    const [code] = (await once(run('setup'), 'exit')) as [number];
    expect(code).toBe(0);
    await start('centops', 'chatbot-a', 'chatbot-b');
    await start('server');
    await start('agent-a', 'agent-b');
  }, 90_000);

  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL');
    await removeUsers(place, users);
  });

  const idOf = (name: 'agent-a' | 'agent-b') => services[name]?.environment?.['AGENT_ID'] ?? '';

  async function ask(from: 'agent-a' | 'agent-b', to: 'agent-a' | 'agent-b'): Promise<string> {
    const [now, chatId] = [new Date().toISOString(), randomUUID()];
    const text = { id: randomUUID(), chatId, authorTimestamp: now, authorRole: 'end-user', content: 'My bicycle?' };
    const payload = { chat: { id: chatId, created: now }, messages: [text] };
    const body = { id: randomUUID(), recipientId: idOf(to), timestamp: now, type: 'ChatMessage', payload };
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(url(from, '/v1/messages'), { method: 'POST', headers, body: JSON.stringify(body) });
    expect([answer.status, await answer.text()]).toEqual([200, '']);
    return chatId;
  }

  const conversation = (chatbot: string, chatId: string) =>
    eventually(async () => {
      const messages = (await (await fetch(url(chatbot, `/conversations/${chatId}`))).json()) as { senderId: string }[];
      return messages.length > 0 && messages;
    });

  it.each([
    ['agent-b', 'agent-a', 'chatbot-a', 'chatbot-b'],
    ['agent-a', 'agent-b', 'chatbot-b', 'chatbot-a'],
  ] as const)('carry a question from %s to %s, and its answer back', async (from, to, asked, asking) => {
    const chatId = await ask(from, to);
    expect(await conversation(asked, chatId)).toMatchObject([{ senderId: idOf(from) }]);
    expect(await conversation(asking, chatId)).toMatchObject([{ senderId: idOf(to) }]);
  });
});
