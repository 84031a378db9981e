import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { importSPKI, jwtVerify, decodeProtectedHeader, type JWTHeaderParameters, type JWTPayload } from 'jose';
import { Server, type Socket } from 'socket.io';
import { type AgentAck, Changes, type Envelope, EVENTS, NAMESPACE, type ServerAck } from './deployed-agent';
import { type AgentRecord, type PublicIdentity, toAgentRecord } from './keys';

/** Why the server refused a message: what it answers, and the types it files under `validation-failures`. */
export interface Refusal {
  ackError: string;
  errorTypes: string[];
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Judges a message as the deployed server does; it never compares the sender with the authenticated agent. */
export function judgeEnvelope(value: unknown, known: ReadonlySet<string>): Refusal | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ackError: 'Message validation failed', errorTypes: ['UNKNOWN'] };
  }
  const envelope = value as Partial<Record<string, unknown>>;
  const broken = brokenRules(envelope);
  if (broken > 0) return { ackError: 'Validation failed', errorTypes: Array<string>(broken).fill('INVALID_FORMAT') };
  if (!isPrintedTimestamp(envelope.timestamp)) {
    return { ackError: 'Invalid timestamp format', errorTypes: ['INVALID_TIMESTAMP'] };
  }
  return judgeParties(envelope as Envelope, known);
}

function brokenRules(envelope: Partial<Record<string, unknown>>): number {
  const rules = [
    ...[envelope.id, envelope.senderId, envelope.recipientId].map((id) => typeof id === 'string' && UUID.test(id)),
    envelope.type === 'ChatMessage',
    typeof envelope.payload === 'string' && envelope.payload !== '',
  ];
  return rules.filter((holds) => !holds).length;
}

function isPrintedTimestamp(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  const time = new Date(value);
  return !Number.isNaN(time.getTime()) && time.toISOString() === value;
}

function judgeParties(envelope: Envelope, known: ReadonlySet<string>): Refusal | undefined {
  if (!known.has(envelope.senderId)) {
    return { ackError: `Sender agent with ID ${envelope.senderId} not found`, errorTypes: ['INVALID_SENDER_ID'] };
  }
  if (!known.has(envelope.recipientId)) {
    return {
      ackError: `Recipient agent with ID ${envelope.recipientId} not found`,
      errorTypes: ['INVALID_RECIPIENT_ID'],
    };
  }
  return undefined;
}

/** An accepted login: what the token said and what else the handshake carried. */
export interface Login {
  agentId: string;
  header: JWTHeaderParameters;
  claims: JWTPayload;
  auth: Record<string, unknown>;
  transport: string;
  recovered: boolean;
}

/** One sending of one message down to an agent. */
export interface Sending {
  envelope: Envelope;
  /** 1 for the first. */
  attempt: number;
  /** All arguments of the ack, once it came. */
  answer?: unknown[];
  /** The wait ended without an ack; one that comes later is still written down. */
  timedOut?: boolean;
}

export interface DeployedServerOptions {
  agents: PublicIdentity[];
  namespace?: string;
  /** Wait for an agent's ack, ms, before the message goes out again. */
  ackTimeoutMs?: number;
  maxTries?: number;
  /** Connection state recovery, ms. */
  maxDisconnectionMs?: number;
  /** 0 takes any free one. */
  port?: number;
}

/** A central server as deployed, seen from an agent: same events, same answers, same habits; queues are in memory. */
export class DeployedServer {
  readonly logins: Login[] = [];
  /** Why tokens were refused. */
  readonly refusedTokens: string[] = [];
  /** Every message argument an agent sent, as it came. */
  readonly received: unknown[] = [];
  readonly refusals: Refusal[] = [];
  readonly sendings: Sending[] = [];

  private readonly http = createServer();
  private readonly io: Server;
  private readonly sockets = new Map<string, Socket>();
  private readonly agents = new Map<string, AgentRecord>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly changes = new Changes();
  private queue: { envelope: Envelope; attempt: number }[] = [];
  private scripted: { ack: unknown } | undefined;

  private constructor(private readonly options: DeployedServerOptions) {
    for (const agent of options.agents) this.agents.set(agent.id, toAgentRecord(agent));
    this.io = new Server(this.http, {
      connectionStateRecovery: {
        maxDisconnectionDuration: options.maxDisconnectionMs ?? 120_000,
        skipMiddlewares: true,
      },
    });
    this.io.of(options.namespace ?? NAMESPACE).on('connection', (socket) => void this.admit(socket));
  }

  static async start(options: DeployedServerOptions): Promise<DeployedServer> {
    const server = new DeployedServer(options);
    server.http.listen(options.port ?? 0, '127.0.0.1');
    await once(server.http, 'listening');
    return server;
  }

  /** Without the namespace. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.http.address() as AddressInfo).port;
  }

  /** Ids of the agents that are logged in. */
  get online(): string[] {
    return [...this.sockets.keys()];
  }

  /** Waits for a fact about this server. */
  until(condition: (server: this) => boolean, timeoutMs = 10_000): Promise<void> {
    return this.changes.until(() => condition(this), timeoutMs, 'deployed server');
  }

  /** Adds or replaces agents and tells everybody. */
  addAgents(...added: PublicIdentity[]): void {
    const records = added.map(toAgentRecord);
    for (const record of records) this.agents.set(record.id, record);
    this.emitPartialList(records.map((record) => ({ ...record, deleted: false })));
  }

  /** Removes agents, tells everybody and drops their sockets. */
  removeAgents(...ids: string[]): void {
    const records = ids.flatMap((id) => this.agents.get(id) ?? []);
    this.emitPartialList(records.map((record) => ({ ...record, deleted: true })));
    for (const id of ids) {
      this.agents.delete(id);
      this.sockets.get(id)?.disconnect();
    }
  }

  /** Emits anything to everybody as the partial list: one array around the list. */
  emitPartialList(list: unknown[]): void {
    this.io.of(this.options.namespace ?? NAMESPACE).emit(EVENTS.partialList, [list]);
  }

  /** Emits any event to one agent; for what a server should never send. */
  emitTo(agentId: string, event: string, ...args: unknown[]): void {
    this.sockets.get(agentId)?.emit(event, ...args);
  }

  /** From now on every message of an agent gets this ack, and goes nowhere; `undefined` keeps silent. */
  answerWith(ack: unknown): void {
    this.scripted = { ack };
  }

  /** Back to judging and routing. */
  answerNormally(): void {
    this.scripted = undefined;
  }

  /** Sends a message down as if it had come from its sender, now or when the recipient logs in. */
  route(envelope: Envelope): void {
    this.deliver({ ...envelope, receivedAt: new Date().toISOString() }, 1);
  }

  /** Cuts one agent's connection below Socket.IO, after the upgrade: a cut poll would keep a timer for half a minute. */
  dropConnection(agentId: string): void {
    const conn = this.sockets.get(agentId)?.conn;
    if (conn?.transport.name === 'websocket') conn.close();
    else conn?.once('upgrade', () => conn.close());
  }

  async close(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    await this.io.close();
  }

  /** The connect has succeeded by now, whatever the token is; a bad one ends in a disconnect. */
  private async admit(socket: Socket): Promise<void> {
    try {
      const login = await this.verify(socket);
      this.logins.push(login);
      this.enter(login.agentId, socket);
    } catch (error) {
      this.refusedTokens.push((error as Error).message);
      socket.disconnect();
    }
    this.changes.note();
  }

  private async verify(socket: Socket): Promise<Login> {
    const auth = socket.handshake.auth;
    const token = String(auth.token ?? socket.handshake.headers.authorization?.replace(/^Bearer /, ''));
    const agent = this.agents.get(String(decodeProtectedHeader(token).kid));
    if (!agent) throw new Error('unknown agent');
    const key = await importSPKI(agent.authenticationCertificate, 'RS256');
    const { protectedHeader, payload } = await jwtVerify(token, key, { algorithms: ['RS256'] });
    const { recovered } = socket;
    // Of its first request: the upgrade may be over before the login is.
    const transport = String(socket.handshake.query['transport']);
    return { agentId: agent.id, header: protectedHeader, claims: payload, auth, transport, recovered };
  }

  private enter(agentId: string, socket: Socket): void {
    this.sockets.set(agentId, socket);
    socket.on('disconnect', () => {
      if (this.sockets.get(agentId) === socket) this.sockets.delete(agentId);
      this.changes.note();
    });
    socket.on(EVENTS.toServer, (message: unknown, ack?: (answer: unknown) => void) => this.accept(message, ack));
    socket.emit(EVENTS.fullList, [[...this.agents.values()]]);
    this.flush(agentId);
  }

  private flush(agentId: string): void {
    const due = this.queue.filter(({ envelope }) => envelope.recipientId === agentId);
    this.queue = this.queue.filter((entry) => !due.includes(entry));
    for (const { envelope, attempt } of due) this.deliver(envelope, attempt);
  }

  private accept(message: unknown, ack?: (answer: unknown) => void): void {
    this.received.push(message);
    const answer = this.scripted ? this.scripted.ack : this.judgeAndRoute(message);
    if (answer !== undefined) ack?.(answer);
    this.changes.note();
  }

  private judgeAndRoute(message: unknown): ServerAck {
    const refusal = judgeEnvelope(message, new Set(this.agents.keys()));
    if (refusal) {
      this.refusals.push(refusal);
      return { status: 'error', error: refusal.ackError };
    }
    this.route(message as Envelope);
    return { status: 'ok' };
  }

  /** Any answer within the wait ends the matter; none means the very same message again. */
  private deliver(envelope: Envelope, attempt: number): void {
    const socket = this.sockets.get(envelope.recipientId);
    if (!socket) {
      this.queue.push({ envelope, attempt });
      return;
    }
    const sending: Sending = { envelope, attempt };
    this.sendings.push(sending);
    const timer = this.after(this.options.ackTimeoutMs ?? 2000, () => this.giveUp(sending));
    socket.emit(EVENTS.fromServer, envelope, (...answer: [AgentAck]) => {
      clearTimeout(timer);
      sending.answer = answer;
      this.changes.note();
    });
    this.changes.note();
  }

  private giveUp(sending: Sending): void {
    sending.timedOut = true;
    if (sending.attempt < (this.options.maxTries ?? 10)) this.deliver(sending.envelope, sending.attempt + 1);
  }

  private after(ms: number, run: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      run();
    }, ms);
    this.timers.add(timer);
    return timer;
  }
}
