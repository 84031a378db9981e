import { randomBytes } from 'node:crypto';
import type { AmqpConfig, AmqpHost } from '../../lib/config/types';
import { eventually } from './eventually';

/** A queue as the management API shows it. Counts are up to 5 s old (1 s on the node of `npm test`): wait for them. */
export interface QueueInfo {
  name: string;
  type: string;
  durable: boolean;
  arguments: Record<string, unknown>;
  messages: number;
  messages_ready: number;
  messages_unacknowledged: number;
}

/** What a test may ask of the broker behind the back of the code under test. */
export interface Management {
  /** Base URL, without a closing slash; `amqp.user` may sign in there. */
  url: string;
  queues(): Promise<QueueInfo[]>;
  /** @throws when there is no such queue */
  get(queue: string): Promise<QueueInfo>;
  /** Any other request below `/api/`, as the broker's administrator; throws unless it is answered with 2xx. */
  request(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown>;
  /** Names of the open AMQP connections into the vhost; not statistics, so right at once. */
  connections(): Promise<string[]>;
  /**
   * Waits for at least `expected` (default 1) AMQP connections into the vhost, closes all there are as an operator
   * would, and resolves to their names once they are gone. What reconnects meanwhile stays.
   */
  closeConnections(expected?: number): Promise<string[]>;
}

/** `host` and `port` are what RABBITMQ_DEFAULT_HOST and _PORT say, for nodes that are told by variables. */
export type TestAmqp = AmqpConfig & AmqpHost;

export interface TestVhost {
  vhost: string;
  /** Signs in as a user that exists for this file only. */
  amqp: TestAmqp;
  management: Management;
}

/** What a broker does takes longer than jest's 5 s now and then, and `eventually` alone waits 10 s. */
const TEST_LIMIT_MS = 30_000;

const NO_BROKER = 'This test needs RabbitMQ. Run it with "npm test -- <file>": that provides one.';

/** Gives the test file a vhost and a user of its own, there from `beforeAll` to `afterAll`. A missing broker fails its tests. */
export function useVhost(): TestVhost {
  const vhost = `test-${randomBytes(6).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  const management = managementOf(vhost);
  jest.setTimeout(TEST_LIMIT_MS);
  beforeAll(async () => {
    if (!process.env['DMR_TEST_AMQP_HOST'] || !management.url) throw new Error(NO_BROKER);
    await management.request('PUT', `vhosts/${vhost}`);
    await management.request('PUT', `users/${vhost}`, { password, tags: 'management' });
    for (const user of [vhost, admin().user]) {
      await management.request('PUT', `permissions/${vhost}/${user}`, { configure: '.*', write: '.*', read: '.*' });
    }
  });
  afterAll(async () => {
    if (!management.url) return; // beforeAll has said so
    await management.request('DELETE', `vhosts/${vhost}`);
    await management.request('DELETE', `users/${vhost}`);
  });
  const host = process.env['DMR_TEST_AMQP_HOST'] ?? '';
  const port = Number(process.env['DMR_TEST_AMQP_PORT']);
  const amqp = testAmqp({ host, port, hosts: [{ host, port }], user: vhost, password, vhost });
  return { vhost, amqp, management };
}

/** The configuration for a broker of a test: reconnects sooner than a deployed node would. */
export function testAmqp(at: Pick<TestAmqp, 'host' | 'port' | 'hosts' | 'user' | 'password' | 'vhost'>): TestAmqp {
  return { ...at, heartbeatS: 5, tls: undefined, reconnectMaxMs: 500 };
}

function managementOf(vhost: string): Management {
  const url = process.env['DMR_TEST_MANAGEMENT_URL'] ?? '';
  const request: Management['request'] = (method, path, body) => send(url, method, path, body);
  const connections = async () => {
    const open = (await request('GET', `connections/username/${vhost}`)) as { name: string }[];
    return open.map(({ name }) => name);
  };
  // Without statistics, which lag further behind and are not there at all while a queue is new.
  const totals = 'disable_stats=true&enable_queue_totals=true';
  const queues = () => request('GET', `queues/${vhost}?${totals}`) as Promise<QueueInfo[]>;
  return {
    url,
    request,
    connections,
    queues,
    async get(queue) {
      const found = (await queues()).find(({ name }) => name === queue);
      if (!found) throw new Error(`There is no queue ${queue} in ${vhost}`);
      return found;
    },
    async closeConnections(expected = 1) {
      const open = await eventually(async () => {
        const names = await connections();
        return names.length >= expected && names;
      });
      // RabbitMQ answers 500 when one of them ends while it is being closed.
      await eventually(() => request('DELETE', `connections/username/${vhost}`));
      await eventually(async () => (await connections()).every((name) => !open.includes(name)));
      return open;
    },
  };
}

async function send(url: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const { user, password } = admin();
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const headers = { authorization, 'content-type': 'application/json' };
  const response = await fetch(`${url}/api/${path}`, { method, headers, body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} /api/${path} was answered with ${response.status}: ${text}`);
  return text && (JSON.parse(text) as unknown);
}

function admin() {
  return { user: process.env['DMR_TEST_AMQP_USER'] ?? '', password: process.env['DMR_TEST_AMQP_PASS'] ?? '' };
}
