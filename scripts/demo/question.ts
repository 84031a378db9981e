import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { OutgoingMessage } from '../../lib/protocol/chat-message';
import type { Organisation } from './plan';

/** A message as it arrives at a chatbot. */
export type ArrivedMessage = OutgoingMessage & { senderId: string };

const LOOK_EVERY_MS = 25;

/** What a chatbot posts to its agent when it hands a citizen's question over. */
export function questionTo({ id: recipientId }: Organisation, content: string): OutgoingMessage {
  const timestamp = new Date().toISOString();
  const chatId = randomUUID();
  const message = { id: randomUUID(), chatId, authorTimestamp: timestamp, authorRole: 'end-user', content };
  const payload = { chat: { id: chatId, created: timestamp }, messages: [message] };
  return { id: randomUUID(), recipientId, timestamp, type: 'ChatMessage', payload };
}

/** Posts a message as the chatbot of `from` would. @throws with the agent's own words when it does not take it */
export async function post(from: Organisation, message: OutgoingMessage): Promise<void> {
  const response = await fetch(`${from.agentUrl}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(message),
  });
  const text = await response.text();
  if (!response.ok)
    throw new Error(`The ${from.name} agent did not take the question: it answered ${response.status} ${text}`);
}

/** The first message that the chatbot of `at` has got in a conversation; nothing when there is none in time. */
export async function answerIn(
  at: Organisation,
  chatId: string,
  timeoutMs: number,
): Promise<ArrivedMessage | undefined> {
  const giveUpAt = Date.now() + timeoutMs;
  do {
    const response = await fetch(`${at.chatbotUrl}/conversations/${chatId}`);
    const [answer] = (await response.json()) as ArrivedMessage[];
    if (answer) return answer;
    await wait(LOOK_EVERY_MS);
  } while (Date.now() < giveUpAt);
  return undefined;
}

/** What was said last in a message. */
export function wordsOf({ payload }: OutgoingMessage): string {
  return payload.messages.at(-1)?.content ?? '';
}
