import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Case } from '../lib/bench';
import { shown } from '../lib/figure';
import { percentiles } from '../lib/statistics';

const WARM_UP = 300;
const connections = new Agent({ keepAlive: true });

/** From one chatbot's POST to the other's, one message at a time, through two agents and a server. */
export const chain: Case = async ({ ground, quick, say }) => {
  const chatbot = await Chatbot.start();
  const { url: listUrl, ids } = await ground.list(2);
  const [from, to] = ids as [string, string];
  const server = await ground.server(listUrl);
  const nodes = await Promise.all([
    ground.agent(from, server.url, chatbot.url),
    ground.agent(to, server.url, chatbot.url),
  ]);
  try {
    const times: number[] = [];
    const count = WARM_UP + (quick ? 200 : 1500);
    for (let i = 0; i < count; i++) {
      const began = performance.now();
      const id = randomUUID();
      const arrived = chatbot.arrival(id);
      await post(nodes[0].url, id, to);
      times.push((await arrived) - began);
    }
    const { p50, p99 } = percentiles(times.slice(WARM_UP));
    say(`  chatbot to chatbot p50 ${shown(p50)} p99 ${shown(p99)} ms`);
    return [
      {
        key: 'chain-p50',
        what: 'chatbot to chatbot, the whole chain, one message at a time, median',
        measured: `${shown(p50)} ms`,
        beside: `99th percentile ${shown(p99)} ms`,
        judged: p50,
        unit: 'ms',
        goal: { atMost: 6 },
        comparable: false,
      },
    ];
  } finally {
    chatbot.stop();
    await Promise.all([...nodes, server].map(({ child }) => child.terminate()));
  }
};

async function post(agentUrl: string, id: string, recipientId: string): Promise<void> {
  const timestamp = new Date().toISOString();
  const chatId = id; // each is a chat of its own: none waits for another
  const content = 'A question. '.repeat(40);
  const message = { id: randomUUID(), chatId, authorTimestamp: timestamp, authorRole: 'end-user', content };
  const payload = { chat: { id: chatId, created: timestamp }, messages: [message] };
  const body = JSON.stringify({ id, recipientId, timestamp, type: 'ChatMessage', payload });
  const { statusCode } = await postJson(new URL('/v1/messages', agentUrl), body);
  if (statusCode !== 200) throw new Error(`the agent answered ${statusCode}`);
}

/** By Node's own client on one connection: fetch would add half a millisecond of its own. */
async function postJson(url: URL, body: string): Promise<IncomingMessage> {
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const sent = request(url, { method: 'POST', agent: connections, headers }).end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  return response;
}

/** Takes everything, and says when. */
class Chatbot {
  private readonly waiting = new Map<string, (at: number) => void>();

  private constructor(private readonly server: ReturnType<typeof createServer>) {
    server.on('request', (request, response) => {
      const at = performance.now();
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        response.end();
        this.waiting.get((JSON.parse(body) as { id: string }).id)?.(at);
      });
    });
  }

  static async start(): Promise<Chatbot> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Chatbot(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  /** When the message is posted to it, on the clock of `performance.now`. */
  arrival(id: string): Promise<number> {
    return new Promise((resolve) => {
      this.waiting.set(id, (at) => {
        this.waiting.delete(id);
        resolve(at);
      });
    });
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
