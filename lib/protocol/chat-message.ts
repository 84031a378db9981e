import type { RuleCustomInline, ValidationRuleObject, ValidationSchema } from 'fastest-validator';
import { checker } from './checker';
import { isIsoTimestamp } from './envelope';

/** What a chatbot posts to its agent: `POST /v1/messages`. */
export interface OutgoingMessage {
  id: string;
  recipientId: string;
  timestamp: string;
  type: 'ChatMessage';
  payload: ChatPayload;
}

/** The conversation that is handed over; sealed before it leaves the agent. */
export interface ChatPayload {
  chat: { id: string; created: string; [optional: string]: string };
  messages: { id: string; chatId: string; authorTimestamp: string; authorRole: string; [optional: string]: string }[];
}

/** One violated rule: where, which, in words. */
export interface RuleViolation {
  path: string;
  rule: string;
  message: string;
}

const optionalStrings = (names: string[]): ValidationSchema =>
  Object.fromEntries(names.map((name) => [name, { type: 'string', optional: true }]));

const chat = {
  id: { type: 'uuid' },
  created: { type: 'string', empty: false },
  ...optionalStrings([
    'endUserFirstName',
    'endUserLastName',
    'endUserId',
    'endUserEmail',
    'endUserPhone',
    'customerSupportDisplayName',
    'endUserOs',
    'endUserUrl',
  ]),
};

const message = {
  id: { type: 'uuid' },
  chatId: { type: 'uuid' },
  authorTimestamp: { type: 'string', empty: false },
  authorRole: { type: 'string', empty: false },
  ...optionalStrings([
    'content',
    'event',
    'csaTitle',
    'authorId',
    'authorFirstName',
    'authorLastName',
    'forwardedByUser',
    'forwardedFromCsa',
    'forwardedToCsa',
    'originalBaseId',
    'originalCreated',
    'rating',
    'created',
    'preview',
    'updated',
    'buttons',
    'options',
  ]),
};

/** What `Date.prototype.toISOString` prints; code, so whoever describes the schema in other words needs it by name. */
export const ISO_TIMESTAMP: RuleCustomInline = {
  type: 'custom',
  check(value: unknown, errors: unknown) {
    if (!isIsoTimestamp(value))
      (errors as { type: string; actual: unknown }[]).push({ type: 'isoTimestamp', actual: undefined });
    return value;
  },
};

/** The rules of the conversation that is handed over. */
export const CHAT_PAYLOAD_RULE = {
  type: 'object',
  strict: true,
  props: {
    chat: { type: 'object', strict: true, props: chat },
    messages: { type: 'array', items: { type: 'object', strict: true, props: message } },
  },
} as const satisfies ValidationRuleObject;

/** The rules of what a chatbot posts. */
export const OUTGOING_MESSAGE_SCHEMA: ValidationSchema = {
  $$strict: true,
  id: { type: 'uuid' },
  recipientId: { type: 'uuid' },
  type: { type: 'equal', value: 'ChatMessage', strict: true },
  timestamp: ISO_TIMESTAMP,
  payload: CHAT_PAYLOAD_RULE,
};

const check = checker(OUTGOING_MESSAGE_SCHEMA);

/**
 * Every rule that a posted message violates, with its path (`payload.messages[0].id`); empty when it is valid.
 * Values are never repeated in the text: they are a citizen's words.
 */
export function violationsOf(value: unknown): RuleViolation[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [{ path: '', rule: 'object', message: 'The body must be a JSON object.' }];
  }
  return check(value).map(({ field, type, message: text }) => ({
    path: field ?? '',
    rule: type,
    message: text ?? type,
  }));
}
