import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Case } from '../lib/bench';
import { shown } from '../lib/figure';
import { percentiles } from '../lib/statistics';

const WARM_UP = 50;

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
    const count = WARM_UP + (quick ? 200 : 1000);
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
  const payload = { chat: { id: 'c' }, messages: [{ content: 'A question. '.repeat(40) }] };
  const message = { id, recipientId, timestamp: new Date().toISOString(), type: 'ChatMessage', payload };
  const body = JSON.stringify(message);
  const response = await fetch(`${agentUrl}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  if (!response.ok) throw new Error(`the agent answered ${response.status}: ${await response.text()}`);
  await response.body?.cancel();
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
