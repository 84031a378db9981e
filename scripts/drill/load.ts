import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ledger } from './ledger';
import { pick } from './random';

/** Where the load goes in. */
export interface Door {
  /** UUID of the agent. */
  id: string;
  /** Base URL of its REST interface. */
  url: string;
}

/** A conversation: its messages are posted one after the other. */
interface Chat {
  id: string;
  from: Door;
  to: Door;
  place: number;
  busy: boolean;
}

const CHATS_PER_PAIR = 10;
const TICK_MS = 20;
const POST_TIMEOUT_MS = 20_000;
const RETRY_PAUSE_MS = 500;
/** A chatbot that gets no answer tries for this long, with the same id. */
const PATIENCE_MS = 90_000;

/** Steady load between all pairs of agents, as chatbots make it: an unanswered message is posted again with its id. */
export class Load {
  /** The fault that new messages are counted under. */
  fault = '';
  /** Agents that nothing new is sent to for now. */
  readonly spared = new Set<string>();
  private readonly chats: Chat[];
  private timer: NodeJS.Timeout | undefined;
  private due = 0;
  private last = Date.now();
  private readonly underWay = new Set<Promise<void>>();

  constructor(
    private readonly doors: Door[],
    /** Messages per second. */
    private readonly rate: number,
    private readonly ledger: Ledger,
    private readonly random: () => number,
  ) {
    const pairs = doors.flatMap((from) => doors.filter((to) => to !== from).map((to) => ({ from, to })));
    this.chats = pairs.flatMap((pair) =>
      Array.from({ length: CHATS_PER_PAIR }, () => ({ ...pair, id: randomUUID(), place: 0, busy: false })),
    );
  }

  /** Ordered pairs of agents. */
  get pairs(): number {
    return this.doors.length * (this.doors.length - 1);
  }

  start(): void {
    this.last = Date.now();
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  /** Posts nothing new and resolves when everything posted is answered or given up. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.underWay);
  }

  private tick(): void {
    const now = Date.now();
    // What a slow mesh could not take is not made up for later: the load stays steady.
    this.due = Math.min(this.due + ((now - this.last) / 1000) * this.rate, this.rate / 10);
    this.last = now;
    for (; this.due >= 1; this.due -= 1) this.next();
  }

  private next(): void {
    const idle = this.chats.filter(({ busy, to }) => !busy && !this.spared.has(to.id));
    if (idle.length === 0) return;
    const chat = pick(this.random, idle);
    chat.busy = true;
    const posting = this.converse(chat).finally(() => {
      chat.busy = false;
      this.underWay.delete(posting);
    });
    this.underWay.add(posting);
  }

  private async converse(chat: Chat): Promise<void> {
    chat.place += 1;
    const message = messageOf(chat);
    const entry = this.ledger.posted(message.id, chat.from.id, chat.to.id, this.fault);
    const giveUpAt = Date.now() + PATIENCE_MS;
    while (Date.now() < giveUpAt) {
      if (await posted(chat.from.url, message)) return this.ledger.accepted(entry);
      entry.errors += 1;
      await delay(RETRY_PAUSE_MS);
    }
  }
}

async function posted(url: string, message: object): Promise<boolean> {
  try {
    const response = await fetch(`${url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(message),
      signal: AbortSignal.timeout(POST_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** The content is the place in the chat, which shows whether the order was kept. */
function messageOf({ id: chatId, to, place }: Chat) {
  const now = new Date().toISOString();
  return {
    id: randomUUID(),
    recipientId: to.id,
    timestamp: now,
    type: 'ChatMessage',
    payload: {
      chat: { id: chatId, created: now },
      messages: [{ id: randomUUID(), chatId, authorTimestamp: now, authorRole: 'end-user', content: String(place) }],
    },
  };
}
