import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AgentRecord, type PublicIdentity, toAgentRecord } from './keys';

/** How CentOps can let a server down. */
export type CentOpsFailure =
  | { kind: 'status'; status: number }
  /** 200 and half of a JSON text. */
  | { kind: 'invalid-json' }
  /** 200 and a list without any agent. */
  | { kind: 'empty' }
  /** 200; the first agent is intact, every other lacks its key, and things that are no agents follow. */
  | { kind: 'half-valid' }
  /** No answer at all. */
  | { kind: 'hang' }
  /** The right answer, this late. */
  | { kind: 'slow'; delayMs: number }
  /** 200 and entries of this length, one on each of the first three pages. */
  | { kind: 'huge'; bytes: number }
  /** 302; to `/clients` only for who asks for `/moved`, whose list is there. */
  | { kind: 'redirect'; to: string };

export interface CentOpsOptions {
  apiKey?: string;
  apiSecret?: string;
  /** No page is longer, whatever is asked for; short by default, so that there are several. */
  maxPageSize?: number;
}

/** One request a server made. */
export interface CentOpsRequest {
  shape: 'flat' | 'paged';
  page?: number;
  authorized: boolean;
}

/** A CentOps that serves both shapes of the list. */
export interface CentOps {
  /** Flat shape, no authentication. */
  readonly url: string;
  /** Paged shape, wants `base64(key:secret)` without the word Basic; the first page is 1. */
  readonly pagedUrl: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  /** The list; a test may change it at any time. */
  agents: PublicIdentity[];
  readonly requests: CentOpsRequest[];
  /** From now on; with `page`, only that page of the paged shape fails. */
  failWith(failure: CentOpsFailure, page?: number): void;
  recover(): void;
  close(): Promise<void>;
}

/** Starts a CentOps on a free port. */
export async function startCentOps(agents: PublicIdentity[], options: CentOpsOptions = {}): Promise<CentOps> {
  const stand = new StandIn(agents, options);
  const server = createServer((request, response) => stand.serve(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(stand, {
    url: `${base}/agents`,
    pagedUrl: `${base}/clients`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  });
}

const SHAPES: Record<string, CentOpsRequest['shape']> = { '/agents': 'flat', '/clients': 'paged', '/moved': 'paged' };

class StandIn {
  readonly requests: CentOpsRequest[] = [];
  readonly apiKey: string;
  readonly apiSecret: string;
  private failure: { failure: CentOpsFailure; page?: number } | undefined;

  constructor(
    public agents: PublicIdentity[],
    private readonly options: CentOpsOptions,
  ) {
    this.apiKey = options.apiKey ?? 'key';
    this.apiSecret = options.apiSecret ?? 'secret';
  }

  failWith(failure: CentOpsFailure, page?: number): void {
    this.failure = { failure, page };
  }

  recover(): void {
    this.failure = undefined;
  }

  serve(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://centops');
    const shape = SHAPES[url.pathname];
    if (!shape || request.method !== 'GET') return void response.writeHead(404).end();
    const page = shape === 'paged' ? Number(url.searchParams.get('page') ?? 1) : undefined;
    const authorized = shape === 'flat' || request.headers.authorization === this.expectedAuthorization();
    this.requests.push({ shape, page, authorized });
    if (!authorized) return void response.writeHead(401).end();
    const failure = this.failureAt(page);
    if (failure?.kind === 'redirect' && (failure.to !== '/clients' || url.pathname === '/moved')) {
      return void response.writeHead(302, { location: failure.to }).end();
    }
    this.answer(response, failure, page, Number(url.searchParams.get('pageSize') ?? 100));
  }

  private expectedAuthorization(): string {
    return Buffer.from(`${this.apiKey}:${this.apiSecret}`).toString('base64');
  }

  private failureAt(page: number | undefined): CentOpsFailure | undefined {
    const { failure, page: onlyPage } = this.failure ?? {};
    return onlyPage === undefined || onlyPage === page ? failure : undefined;
  }

  private answer(
    response: ServerResponse,
    failure: CentOpsFailure | undefined,
    page: number | undefined,
    size: number,
  ): void {
    if (failure?.kind === 'hang') return;
    if (failure?.kind === 'status') return void response.writeHead(failure.status).end('{"message":"out of order"}');
    const entries = this.entries(failure);
    const body = JSON.stringify(page === undefined ? { response: entries.map(flat) } : this.paged(entries, page, size));
    const delayMs = failure?.kind === 'slow' ? failure.delayMs : 0;
    if (delayMs > 0) return void setTimeout(() => response.end(body), delayMs);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(failure?.kind === 'invalid-json' ? body.slice(0, body.length / 2) : body);
  }

  private entries(failure: CentOpsFailure | undefined): unknown[] {
    const records = this.agents.map(toAgentRecord);
    if (failure?.kind === 'empty') return [];
    if (failure?.kind === 'huge')
      return [
        { name: 'x'.repeat(failure.bytes) },
        {},
        { name: 'x'.repeat(failure.bytes) },
        {},
        { name: 'x'.repeat(failure.bytes) },
      ];
    if (failure?.kind !== 'half-valid') return records;
    const broken = records.slice(1).map((record) => ({ ...record, authenticationCertificate: undefined }));
    return [...records.slice(0, 1), ...broken, null, 'agent', { id: 'not-a-uuid' }];
  }

  private paged(entries: unknown[], page: number, size: number): unknown {
    const pageSize = Math.max(1, Math.min(size, this.options.maxPageSize ?? 2));
    const items = entries.slice((page - 1) * pageSize, page * pageSize).map(paged);
    return { response: { items, page, pageSize, totalPages: Math.ceil(entries.length / pageSize) } };
  }
}

function flat(entry: unknown): unknown {
  if (typeof entry !== 'object' || entry === null) return entry;
  const { id, name, authenticationCertificate, createdAt, updatedAt } = entry as AgentRecord;
  return {
    id,
    name,
    authentication_certificate: authenticationCertificate,
    created_at: createdAt,
    updated_at: updatedAt,
  };
}

function paged(entry: unknown): unknown {
  if (typeof entry !== 'object' || entry === null) return entry;
  const { id: clientId, ...rest } = entry as AgentRecord;
  return { clientId, ...rest };
}
