import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** One request an agent made. */
export interface ChatbotRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  /** Parsed JSON; the text itself where it is none. */
  body: unknown;
}

/** How the chatbot answers: `hang` never does, `close` cuts the connection. */
export type ChatbotAnswer = 'hang' | 'close' | { status?: number; delayMs?: number; body?: string };

/** A chatbot that writes down what its agent posts. */
export interface Chatbot {
  readonly url: string;
  readonly received: ChatbotRequest[];
  /** From now on. */
  answerWith(answer: ChatbotAnswer): void;
  /** For the next requests only, one each, in this order. */
  answerNext(...answers: ChatbotAnswer[]): void;
  /** The first request, past or to come, that fits. */
  waitFor(predicate: (request: ChatbotRequest) => boolean, timeoutMs?: number): Promise<ChatbotRequest>;
  close(): Promise<void>;
}

/** Starts a chatbot on a free port; it answers 200 until told otherwise. */
export async function startChatbot(): Promise<Chatbot> {
  const received: ChatbotRequest[] = [];
  const arrivals = new EventEmitter().setMaxListeners(0);
  const next: ChatbotAnswer[] = [];
  let usual: ChatbotAnswer = {};

  const server = createServer((request, response) => {
    void read(request).then((entry) => {
      received.push(entry);
      answer(response, next.shift() ?? usual);
      arrivals.emit('arrival');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  async function waitFor(predicate: (request: ChatbotRequest) => boolean, timeoutMs = 10_000): Promise<ChatbotRequest> {
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const found = received.find(predicate);
      if (found) return found;
      await once(arrivals, 'arrival', { signal }).catch(() => {
        throw new Error(`chatbot: no such request within ${timeoutMs} ms, ${received.length} others`);
      });
    }
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/messages`,
    received,
    answerWith: (answer) => void (usual = answer),
    answerNext: (...answers) => void next.push(...answers),
    waitFor,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function read(request: IncomingMessage): Promise<ChatbotRequest> {
  const body = await text(request).catch(() => '');
  return { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: parse(body) };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

function answer(response: ServerResponse, how: ChatbotAnswer): void {
  if (how === 'hang') return;
  if (how === 'close') {
    response.socket?.destroy();
    return;
  }
  // A slow chatbot is what the test asks for.
  setTimeout(() => response.writeHead(how.status ?? 200).end(how.body), how.delayMs ?? 0).unref();
}
