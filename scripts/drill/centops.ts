import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An agent as CentOps lists it. */
export interface ListedAgent {
  id: string;
  name: string;
  publicKeyPem: string;
}

/** What CentOps may answer instead of its list. */
export const NONSENSE = ['status', 'empty', 'half', 'shrunk', 'page of a proxy', 'no answer'] as const;
export type CentOpsMode = 'good' | (typeof NONSENSE)[number];

/** CentOps as the drill needs it: it can answer nonsense. */
export class DrillCentOps {
  mode: CentOpsMode = 'good';
  private server: Server | undefined;

  constructor(private readonly agents: ListedAgent[]) {}

  /** Starts it on a free port; resolves to the address of the list. */
  async start(): Promise<string> {
    this.server = createServer((_request, response) => this.answer(response)).listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/agents`;
  }

  stop(): void {
    this.server?.close();
    this.server?.closeAllConnections();
  }

  private answer(response: ServerResponse): void {
    const all = this.agents.map(({ id, name, publicKeyPem }) => ({
      id,
      name,
      authentication_certificate: publicKeyPem,
      created_at: '2026-11-20T10:00:00.000Z',
      updated_at: '2026-11-20T10:00:00.000Z',
    }));
    const send = (list: unknown[]) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ response: list }));
    switch (this.mode) {
      case 'good':
        return void send(all);
      case 'status':
        return void response.writeHead(500).end('{}');
      case 'empty':
        return void send([]);
      case 'half':
        return void send(all.map((agent, i) => (i % 2 ? { ...agent, authentication_certificate: 'none' } : agent)));
      case 'shrunk':
        return void send(all.slice(0, 1));
      case 'page of a proxy':
        return void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>');
      case 'no answer':
    }
  }
}
