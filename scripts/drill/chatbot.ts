import { openSync, writeSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** How a chatbot of the drill treats what is posted to it: takes it, answers 500, or never answers. */
export type ChatbotMode = 'take' | 'fail' | 'hang';

/** One message as it reached a chatbot; a line of its journal. */
export interface Arrival {
  id: string;
  senderId: string;
  chatId: string;
  /** Place in its chat, from 1. */
  place: number;
  /** The agent says that an earlier attempt may have arrived. */
  redelivered: boolean;
  mode: ChatbotMode;
  /** ms since the epoch. */
  at: number;
}

interface Posted {
  id: string;
  senderId: string;
  payload: { chat: { id: string }; messages: { content: string }[] };
}

/**
 * A chatbot that writes down what reaches it before it answers, so that not even its own sudden end hides a message that
 * it took. `PUT /mode` with the name of a mode in the body changes how it answers.
 */
export function chatbotServer(journalFile: string): Server {
  const journal = openSync(journalFile, 'a', 0o600);
  let mode: ChatbotMode = 'take';
  return createServer((request, response) => {
    void bodyOf(request).then((body) => {
      if (request.method === 'PUT') mode = body as ChatbotMode;
      else if (request.method === 'POST') return take(request, response, body, mode, journal);
      response.end();
    });
  });
}

function take(request: IncomingMessage, response: ServerResponse, body: string, mode: ChatbotMode, journal: number) {
  const { id, senderId, payload } = JSON.parse(body) as Posted;
  const arrival: Arrival = {
    id,
    senderId,
    chatId: payload.chat.id,
    place: Number(payload.messages[0]?.content),
    redelivered: request.headers['x-dmr-redelivered'] === 'true',
    mode,
    at: Date.now(),
  };
  writeSync(journal, `${JSON.stringify(arrival)}\n`);
  if (mode !== 'hang') response.writeHead(mode === 'take' ? 200 : 500).end();
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
