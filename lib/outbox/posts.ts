import { HttpError } from '../http/problem';
import { messageOf, RetryableError } from '../errors';
import type { Log } from '../log';
import type { OutgoingMessage } from '../protocol/chat-message';
import type { TraceContext } from '../telemetry/trace-context';
import { UnsettledError } from './send';
import { digestOf, type SentMemory, type SentRecord, type SentState } from './sent-memory';

/** What a chatbot is told: 200 the server took it, 202 it is safe here and will be sent. */
export interface Posted {
  status: 200 | 202;
  state: SentState;
}

/** What this agent remembers of a message. */
export interface PostStatus {
  id: string;
  status: SentState;
  reason?: string;
  /** ISO 8601. */
  since: string;
}

export interface PostsContext {
  sent: SentMemory;
  /** Sends within the deadline; throws HttpError. */
  sendNow: (message: OutgoingMessage, trace?: TraceContext) => Promise<void>;
  /** Puts it on the disk to be sent; throws HttpError, RetryableError STORAGE_FAILED. */
  sendLater: (message: OutgoingMessage, digest: string, trace?: TraceContext) => Promise<void>;
  log: Log;
}

interface UnderWay {
  digest: string;
  state: SentState;
  since: number;
  answer: Promise<Posted>;
}

/** Each holds a message of up to 100 kB and a socket of a chatbot. */
const MAX_AT_ONCE = 1000;

/**
 * What a chatbot posts, told apart by id: a retry joins the one under way or hears what became of the first, and is
 * sent again only where nobody knows.
 */
export class Posts {
  private readonly underWay = new Map<string, UnderWay>();
  private sending = 0;
  private complained = false;

  constructor(private readonly context: PostsContext) {}

  /** Throws HttpError: 409 ID_REUSED, 503 BUSY, and what sending throws. */
  async post(message: OutgoingMessage, respondAsync: boolean, trace?: TraceContext): Promise<Posted> {
    const { id } = message;
    const digest = digestOf(message);
    const current = this.underWay.get(id);
    if (current) {
      sameOrThrow(current.digest, digest);
      const joined = await current.answer.catch((error: unknown) => {
        if (!respondAsync || !isForNow(error)) throw error;
      });
      // Who can wait for a server is not sent away as who waits for the answer is.
      return joined ? answered(joined.state, respondAsync) : this.post(message, respondAsync, trace);
    }
    const known = this.remembered(id);
    if (known) sameOrThrow(known.digest, digest);
    if (known?.state === 'sent' || known?.state === 'waiting') return answered(known.state, respondAsync);
    const answer = respondAsync ? this.later(message, digest, trace) : this.now(message, digest, trace);
    this.underWay.set(id, { digest, state: 'waiting', since: Date.now(), answer });
    return answer;
  }

  /** Undefined for an id that this agent knows nothing of. */
  status(id: string): PostStatus | undefined {
    const known: Omit<SentRecord, 'digest'> | undefined = this.underWay.get(id) ?? this.remembered(id);
    if (!known) return undefined;
    const { state, since, reason } = known;
    return { id, status: state, ...(reason !== undefined && { reason }), since: new Date(since).toISOString() };
  }

  private async later(message: OutgoingMessage, digest: string, trace?: TraceContext): Promise<Posted> {
    try {
      await this.context.sendLater(message, digest, trace);
      return { status: 202, state: 'waiting' };
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      throw new HttpError(503, error.code, error.message, undefined, 5);
    } finally {
      this.underWay.delete(message.id);
    }
  }

  private async now(message: OutgoingMessage, digest: string, trace?: TraceContext): Promise<Posted> {
    try {
      await this.limited(message, trace);
    } catch (error) {
      this.underWay.delete(message.id);
      // Otherwise the server has not taken it: the id may be used as if nothing had been.
      if (error instanceof UnsettledError) void this.remember(message.id, digest, 'unknown');
      throw error;
    }
    const current = this.underWay.get(message.id);
    if (current) Object.assign(current, { state: 'sent', since: Date.now() });
    // Not awaited: a slow disk must not turn a message that was taken into one that was late.
    void this.remember(message.id, digest, 'sent').finally(() => this.underWay.delete(message.id));
    return { status: 200, state: 'sent' };
  }

  private async limited(message: OutgoingMessage, trace?: TraceContext): Promise<void> {
    if (this.sending >= MAX_AT_ONCE) {
      throw new HttpError(503, 'BUSY', `${MAX_AT_ONCE} messages are being sent, send it again later`, undefined, 1);
    }
    this.sending += 1;
    try {
      await this.context.sendNow(message, trace);
    } finally {
      this.sending -= 1;
    }
  }

  private remembered(id: string) {
    try {
      return this.context.sent.get(id);
    } catch (error) {
      return this.complain(error);
    }
  }

  private async remember(id: string, digest: string, state: SentState): Promise<void> {
    try {
      await this.context.sent.remember(id, { digest, state, since: Date.now() });
      this.complained = false;
    } catch (error) {
      this.complain(error);
    }
  }

  /** A message can be sent without being remembered; a retry of it is then sent again, and its recipient drops it. */
  private complain(error: unknown): undefined {
    if (!this.complained) {
      this.context.log.error(`what was sent cannot be remembered, retries are sent again: ${messageOf(error)}`);
    }
    this.complained = true;
    return undefined;
  }
}

/** No server took it in time; another may later. */
function isForNow(error: unknown): boolean {
  return error instanceof UnsettledError || (error instanceof HttpError && error.code === 'UPLINK_DOWN');
}

function answered(state: SentState, respondAsync: boolean): Posted {
  return { status: state === 'sent' && !respondAsync ? 200 : 202, state };
}

function sameOrThrow(known: string, now: string): void {
  if (known === now) return;
  throw new HttpError(409, 'ID_REUSED', 'Another message was posted under this id; a new message needs a new id');
}
