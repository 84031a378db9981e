import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import {
  CompactEncrypt,
  compactDecrypt,
  compactVerify,
  decodeProtectedHeader,
  importPKCS8,
  importSPKI,
  SignJWT,
} from 'jose';
import { io, type Socket } from 'socket.io-client';
import type { AgentIdentity, AgentRecord } from './keys';

export const NAMESPACE = '/v1/dmr-agent-events';

/** The four events of the wire. */
export const EVENTS = {
  fullList: 'dmr:agents:full-list',
  partialList: 'dmr:agents:partial-list',
  toServer: 'dmr:agents:message-to-dmr-server',
  fromServer: 'dmr:agents:message-from-dmr-server',
} as const;

/** A message on the wire; whatever else a sender adds travels with it. */
export interface Envelope {
  id: string;
  type: string;
  senderId: string;
  recipientId: string;
  timestamp: string;
  payload: string;
  receivedAt?: string;
  [extra: string]: unknown;
}

/** The server's answer to a message: one `error`, a string. */
export type ServerAck = { status: 'ok' } | { status: 'error'; error: string };

/** An agent's answer to a message: many `errors`, objects. */
export type AgentAck = { status: 'ok' } | { status: 'error'; errors: { type: string; message: string }[] };

/** Why a seal did not open, in the words of the wire. */
export class SealError extends Error {
  override readonly name = 'SealError';

  constructor(
    readonly type: 'DECRYPTION_FAILED' | 'SIGNATURE_VALIDATION_FAILED',
    options?: ErrorOptions,
  ) {
    super(type, options);
  }
}

/** Seals as deployed agents do: the signature covers `{data}` and nothing else. */
export async function sealDeployed(
  payload: unknown,
  senderPrivatePem: string,
  recipientPublicPem: string,
): Promise<string> {
  const signed = await new SignJWT({ data: payload })
    .setProtectedHeader({ alg: 'RS256' })
    .sign(await importPKCS8(senderPrivatePem, 'RS256'));
  return new CompactEncrypt(new TextEncoder().encode(signed))
    .setProtectedHeader({ alg: 'RSA-OAEP', enc: 'A256GCM' })
    .encrypt(await importSPKI(recipientPublicPem, 'RSA-OAEP'));
}

/** Opens as deployed agents do: any claim beside `data` is ignored. Throws a SealError. */
export async function openDeployed(
  jwe: string,
  recipientPrivatePem: string,
  senderPublicPem: string,
): Promise<unknown> {
  const signed = await decrypt(jwe, recipientPrivatePem).catch((cause: unknown) => {
    throw new SealError('DECRYPTION_FAILED', { cause });
  });
  return verify(signed, senderPublicPem).catch((cause: unknown) => {
    throw new SealError('SIGNATURE_VALIDATION_FAILED', { cause });
  });
}

async function decrypt(jwe: string, privatePem: string): Promise<string> {
  if (decodeProtectedHeader(jwe).zip !== undefined) throw new Error('compressed');
  const algorithms = { keyManagementAlgorithms: ['RSA-OAEP'], contentEncryptionAlgorithms: ['A256GCM'] };
  const { plaintext } = await compactDecrypt(jwe, await importPKCS8(privatePem, 'RSA-OAEP'), algorithms);
  return new TextDecoder().decode(plaintext);
}

async function verify(jws: string, publicPem: string): Promise<unknown> {
  const { payload } = await compactVerify(jws, await importSPKI(publicPem, 'RS256'), { algorithms: ['RS256'] });
  return (JSON.parse(new TextDecoder().decode(payload)) as { data?: unknown }).data;
}

/** Lets a test wait for a fact about an object that notes its changes. */
export class Changes {
  private readonly emitter = new EventEmitter().setMaxListeners(0);

  note(): void {
    this.emitter.emit('change');
  }

  async until(condition: () => boolean, timeoutMs: number, what: string): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs);
    while (!condition()) {
      await once(this.emitter, 'change', { signal }).catch(() => {
        throw new Error(`${what}: not within ${timeoutMs} ms`);
      });
    }
  }
}

/** What `answerWith` takes to leave a message without any answer. */
export const NO_ANSWER = Symbol('no answer');

/** One arrival of a message; the same message sent twice is two of these. */
export interface ReceivedMessage {
  envelope: Envelope;
  /** The payload in the clear, once it opened. */
  opened?: unknown;
  /** What went back, once something did. */
  answer?: unknown;
}

export interface DeployedAgentOptions {
  /** Server, without the namespace. */
  url: string;
  identity: AgentIdentity;
  namespace?: string;
  /** Sent in place of a proper token. */
  token?: string;
  /** `iat` of the token, s; now by default. */
  iat?: number;
  /** The chatbot's side: runs before the ack, a throw becomes DELIVERY_FAILED. */
  onMessage?: (opened: unknown, envelope: Envelope) => Promise<void> | void;
  /** Pause before the list is taken over, ms: a message that overtakes it meets an agent that knows nobody. */
  listDelayMs?: number;
  /** Wait for the server's ack, ms. */
  ackTimeoutMs?: number;
  /** First wait before a new connection attempt, ms. */
  reconnectDelayMs?: number;
  /** More for the handshake than the token. */
  auth?: Record<string, unknown>;
}

/** The token of the deployed agents: made once, good for a minute. */
export async function makeDeployedToken(identity: AgentIdentity, iat = Math.floor(Date.now() / 1000)): Promise<string> {
  return new SignJWT({ sub: identity.id, iat, exp: iat + 60, cat: iat * 1000 })
    .setProtectedHeader({ alg: 'RS256', kid: identity.id })
    .sign(await importPKCS8(identity.privateKeyPem, 'RS256'));
}

/** An agent of the deployed system, as seen from the wire: what it does, and where it breaks. */
export class DeployedAgent {
  /** All arguments of every full list, as they came. */
  readonly lists: unknown[][] = [];
  /** All arguments of every partial list, as they came. */
  readonly partialLists: unknown[][] = [];
  readonly messages: ReceivedMessage[] = [];
  readonly sent: Envelope[] = [];
  /** Reasons, in order. */
  readonly disconnects: string[] = [];
  readonly connectErrors: Error[] = [];
  /** What would have broken the deployed agent. */
  readonly errors: Error[] = [];
  /** The agents it can talk to and read from, by id. */
  readonly peers = new Map<string, AgentRecord>();
  /** Successful connects to the namespace. */
  connects = 0;

  private readonly changes = new Changes();
  private readonly socket: Socket;
  private scripted: { answer: unknown } | undefined;
  private listsTaken = 0;
  private retry: NodeJS.Timeout | undefined;

  private constructor(
    private readonly options: DeployedAgentOptions,
    /** The one token of its life. */
    readonly token: string,
  ) {
    this.socket = io(options.url + (options.namespace ?? NAMESPACE), {
      transports: ['polling', 'websocket'],
      auth: { ...options.auth, token },
      forceNew: true,
      reconnectionDelay: options.reconnectDelayMs ?? 1000,
    });
    this.watchConnection();
    this.listen();
  }

  /** Makes the token and begins to connect; `ready()` waits for the list. */
  static async start(options: DeployedAgentOptions): Promise<DeployedAgent> {
    return new DeployedAgent(options, options.token ?? (await makeDeployedToken(options.identity, options.iat)));
  }

  get id(): string {
    return this.options.identity.id;
  }

  get connected(): boolean {
    return this.socket.connected;
  }

  /** Whether the server restored the former session. */
  get recovered(): boolean {
    return this.socket.recovered;
  }

  /** `polling`, and `websocket` after the upgrade. */
  get transport(): string | undefined {
    return this.socket.io.engine?.transport.name;
  }

  /** Waits until the first full list is taken over. */
  async ready(timeoutMs = 10_000): Promise<this> {
    await this.until(() => this.listsTaken > 0, timeoutMs);
    return this;
  }

  /** Waits for a fact about this agent. */
  until(condition: (agent: this) => boolean, timeoutMs = 10_000): Promise<void> {
    return this.changes.until(() => condition(this), timeoutMs, `agent ${this.options.identity.name}`);
  }

  /** From now on every message gets this answer, or none at all for NO_ANSWER; the chatbot is not asked. */
  answerWith(answer: unknown): void {
    this.scripted = { answer };
  }

  /** Back to opening messages and asking the chatbot. */
  answerNormally(): void {
    this.scripted = undefined;
  }

  /** Seals the payload for the recipient and sends it; `overrides` replace fields of the envelope. */
  async send(recipientId: string, payload: unknown, overrides: Partial<Envelope> = {}): Promise<ServerAck> {
    const envelope: Envelope = {
      id: randomUUID(),
      type: 'ChatMessage',
      senderId: this.id,
      recipientId,
      timestamp: new Date().toISOString(),
      payload: overrides.payload ?? (await this.sealFor(recipientId, payload)),
      ...overrides,
    };
    this.sent.push(envelope);
    return (await this.emitRaw(envelope)) as ServerAck;
  }

  /** Sends any argument as a message and returns the ack as it came. */
  async emitRaw(argument: unknown): Promise<unknown> {
    if (!this.socket.connected) throw new Error('not connected');
    const answer: unknown = await this.socket
      .timeout(this.options.ackTimeoutMs ?? 2000)
      .emitWithAck(EVENTS.toServer, argument);
    return answer;
  }

  /** Cuts the connection below Socket.IO; the agent comes back by itself, with the token it has. */
  dropConnection(): void {
    this.socket.io.engine?.close();
  }

  /** Leaves for good. */
  close(): void {
    clearTimeout(this.retry);
    this.socket.removeAllListeners();
    this.socket.disconnect();
  }

  private async sealFor(recipientId: string, payload: unknown): Promise<string> {
    const recipient = this.peers.get(recipientId);
    if (!recipient) throw new Error(`recipient ${recipientId} is not in the list`);
    return sealDeployed(payload, this.options.identity.privateKeyPem, recipient.authenticationCertificate);
  }

  private watchConnection(): void {
    this.socket.io.on('open', () => this.socket.io.engine.once('upgrade', () => this.changes.note()));
    this.socket.on('connect', () => {
      this.connects++;
      this.changes.note();
    });
    this.socket.on('disconnect', (reason) => {
      this.disconnects.push(reason);
      this.connectLater();
    });
    this.socket.on('connect_error', (error) => {
      this.connectErrors.push(error);
      this.connectLater();
    });
  }

  /** socket.io-client leaves a refusal by the server to its user; the deployed agent tries again after the delay. */
  private connectLater(): void {
    this.changes.note();
    if (this.socket.active) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.socket.connect(), this.options.reconnectDelayMs ?? 1000).unref();
  }

  private listen(): void {
    this.socket.on(EVENTS.fullList, (...args: unknown[]) => {
      this.lists.push(args);
      void this.takeList(args[0], true);
    });
    this.socket.on(EVENTS.partialList, (...args: unknown[]) => {
      this.partialLists.push(args);
      void this.takeList(args[0], false);
    });
    this.socket.on(EVENTS.fromServer, (envelope: Envelope, ack?: (answer: unknown) => void) => {
      void this.receive(envelope, ack);
    });
  }

  /** The list is `data[0]`; anything else breaks the agent, which then keeps what it knew. */
  private async takeList(data: unknown, full: boolean): Promise<void> {
    try {
      const list = (data as unknown[])[0] as (AgentRecord & { deleted?: boolean })[];
      if (!Array.isArray(list)) throw new TypeError('data[0] is not a list');
      for (const agent of list) if (!agent.deleted) await importSPKI(agent.authenticationCertificate, 'RS256');
      await this.readSlowly();
      if (full) this.peers.clear();
      for (const agent of list) {
        if (agent.deleted) this.peers.delete(agent.id);
        else this.peers.set(agent.id, agent);
      }
      if (full) this.listsTaken++;
    } catch (error) {
      this.errors.push(error as Error);
    }
    this.changes.note();
  }

  private async readSlowly(): Promise<void> {
    const { listDelayMs } = this.options;
    // The wait is the behaviour under test: it makes overtaking possible.
    if (listDelayMs) await new Promise((resolve) => setTimeout(resolve, listDelayMs));
  }

  private async receive(envelope: Envelope, ack?: (answer: unknown) => void): Promise<void> {
    const received: ReceivedMessage = { envelope };
    this.messages.push(received);
    this.changes.note();
    const answer = this.scripted ? this.scripted.answer : await this.handle(received);
    if (answer === NO_ANSWER) return;
    received.answer = answer;
    ack?.(answer);
    this.changes.note();
  }

  private async handle(received: ReceivedMessage): Promise<AgentAck> {
    const { envelope } = received;
    const sender = this.peers.get(envelope.senderId);
    if (!sender) return refusal('DECRYPTION_FAILED', `sender ${envelope.senderId} is not in the list`);
    try {
      const { privateKeyPem } = this.options.identity;
      received.opened = await openDeployed(envelope.payload, privateKeyPem, sender.authenticationCertificate);
      await this.options.onMessage?.(received.opened, envelope);
      return { status: 'ok' };
    } catch (error) {
      return refusal(error instanceof SealError ? error.type : 'DELIVERY_FAILED', (error as Error).message);
    }
  }
}

function refusal(type: string, message: string): AgentAck {
  return { status: 'error', errors: [{ type, message }] };
}
