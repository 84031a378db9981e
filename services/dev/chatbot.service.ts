import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Service, ServiceSchema } from 'moleculer';
import { chatbotStandInConfig, type ChatbotStandInConfig } from '../../lib/config';
import { defineService } from '../../lib/define-service';
import { messageOf } from '../../lib/errors';
import { sendJson } from '../../lib/http/operations-route';
import type { ChatPayload, OutgoingMessage } from '../../lib/protocol/chat-message';
import { httpMixin } from '../../mixins/http.mixin';

/** What an agent posts to a chatbot. */
type IncomingChat = OutgoingMessage & { senderId: string };

interface ChatbotService extends Service {
  conversations: Map<string, IncomingChat[]>;
  take(message: IncomingChat): void;
  answer(question: IncomingChat): Promise<void>;
}

type JsonRequest = IncomingMessage & { body: IncomingChat; $params: { chatId?: string } };

const KEPT_CONVERSATIONS = 1000;

/**
 * Stands in for a chatbot: takes what its agent posts to `POST /messages`, answers what an end user asks through its
 * agent's REST, and shows a conversation at `GET /conversations/:chatId`. Never part of a deployment.
 */
export function chatbotStandIn(config: ChatbotStandInConfig): ServiceSchema {
  return defineService<ChatbotService>({
    name: 'chatbot',
    mixins: [httpMixin],
    settings: {
      port: config.port,
      routes: [
        {
          path: '/',
          bodyParsers: { json: { limit: '1mb' } },
          mappingPolicy: 'restrict',
          aliases: {
            'POST /messages'(this: ChatbotService, { body }: JsonRequest, response: ServerResponse) {
              this.take(body);
              sendJson(response, 200, { status: 'ok' });
            },
            'GET /conversations/:chatId'(this: ChatbotService, request: JsonRequest, response: ServerResponse) {
              sendJson(response, 200, this.conversations.get(request.$params.chatId ?? '') ?? []);
            },
          },
        },
      ],
    },
    methods: {
      take(this: ChatbotService, message: IncomingChat) {
        const chatId = message.payload.chat.id;
        this.logger.debug('message received', { event: 'received', messageId: message.id, senderId: message.senderId });
        const known = this.conversations.get(chatId) ?? [];
        this.conversations.delete(chatId);
        this.conversations.set(chatId, [...known, message]);
        const oldest = this.conversations.keys().next().value;
        if (this.conversations.size > KEPT_CONVERSATIONS && oldest !== undefined) this.conversations.delete(oldest);
        // Only an end user is answered: two chatbots must not talk to each other for ever.
        if (message.payload.messages.at(-1)?.authorRole === 'end-user') void this.answer(message);
      },

      async answer(this: ChatbotService, question: IncomingChat) {
        const timestamp = new Date().toISOString();
        const message: OutgoingMessage = {
          id: randomUUID(),
          recipientId: question.senderId,
          timestamp,
          type: 'ChatMessage',
          payload: answerTo(question.payload, config.name, timestamp),
        };
        this.logger.debug('question is answered', {
          event: 'answering',
          messageId: message.id,
          questionId: question.id,
        });
        try {
          const response = await fetch(new URL('/v1/messages', config.agentUrl), {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(message),
          });
          await response.body?.cancel();
          if (!response.ok) this.logger.error(`the agent refused the answer with status ${response.status}`);
        } catch (error) {
          this.logger.error(`the agent cannot be reached: ${messageOf(error)}`);
        }
      },
    },
    created(this: ChatbotService) {
      this.conversations = new Map();
    },
  });
}

function answerTo({ chat }: ChatPayload, name: string, timestamp: string): ChatPayload {
  const content = `${name} here: we have your question and an officer reads it now.`;
  const message = { id: randomUUID(), chatId: chat.id, authorTimestamp: timestamp, authorRole: 'chatbot', content };
  return { chat: { id: chat.id, created: chat.created }, messages: [message] };
}

export default () => chatbotStandIn(chatbotStandInConfig());
