import type { JsonSchema } from './json-schema';

/** The answers to a posted message that are no success: status, stable code, and when it is given. */
export const POST_PROBLEMS: readonly (readonly [status: number, code: string, when: string])[] = [
  [400, 'MESSAGE_INVALID', 'The body breaks the rules that `errors` lists. Nothing was sent; mend the message.'],
  [400, 'BODY_NOT_JSON', 'The body is not JSON.'],
  [400, 'BAD_REQUEST', 'The request cannot be read: it ended early, or does not decompress.'],
  [404, 'RECIPIENT_UNKNOWN', 'No agent with the id `recipientId` takes part.'],
  [409, 'ID_REUSED', 'Another message was posted under this id within the last 25 hours; a new one needs a new id.'],
  [413, 'BODY_TOO_LARGE', 'The body is larger than 100 kB (102,400 bytes).'],
  [415, 'CONTENT_TYPE_UNSUPPORTED', 'The content type is not `application/json`.'],
  [415, 'ENCODING_UNSUPPORTED', 'The content encoding is none of gzip, deflate and identity.'],
  [415, 'CHARSET_UNSUPPORTED', 'The charset is not UTF-8.'],
  [500, 'INTERNAL', 'Something failed inside; the log of the agent says what.'],
  [502, 'UPLINK_DOWN', 'There was no connection to a server within MESSAGE_DELIVERY_TIMEOUT_MS. Nothing was sent.'],
  [502, 'SERVER_REFUSED', 'The server refused the message; `message` has its words.'],
  [502, 'RECIPIENT_KEY_INVALID', 'CentOps lists no usable key for the recipient.'],
  [503, 'AGENT_LIST_MISSING', 'The agent has no list of agents yet; try again.'],
  [503, 'BUSY', '1,000 messages are being sent; come again after Retry-After.'],
  [503, 'OUTBOX_FULL', 'OUTBOX_MAX_MESSAGES wait for the server; come again after Retry-After.'],
  [503, 'STORAGE_FAILED', "The agent's disk does not take the message; come again after Retry-After."],
  [504, 'NO_ANSWER', 'Nobody knows whether the server has it: send it again **with the same id**.'],
  [504, 'UPLINK_LOST', 'The connection was lost before the answer: send it again **with the same id**.'],
];

/** The same for the question what became of one. */
export const STATUS_PROBLEMS = [
  [400, 'BAD_REQUEST', 'The path cannot be decoded: its percent signs encode no UTF-8.'],
  [404, 'MESSAGE_UNKNOWN', 'The agent remembers no message with this id; it remembers for 25 hours.'],
] as const;

const WITH_RETRY_AFTER = 503;

/** The responses of an operation, by status, each with its codes. */
export function problemResponses(problems: readonly (readonly [number, string, string])[]): JsonSchema {
  const statuses = [...new Set(problems.map(([status]) => status))];
  return Object.fromEntries(statuses.map((status) => [status, response(status, problems)]));
}

function response(status: number, problems: readonly (readonly [number, string, string])[]): JsonSchema {
  const own = problems.filter(([of]) => of === status);
  const description = own.map(([, code, when]) => `\`${code}\`: ${when}`).join('\n\n');
  const codes = { type: 'object', properties: { code: { enum: own.map(([, code]) => code) } } };
  const schema = { allOf: [{ $ref: '#/components/schemas/Problem' }, codes] };
  const retryAfter = { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } };
  return {
    description,
    ...(status === WITH_RETRY_AFTER && { headers: retryAfter }),
    content: { 'application/json': { schema } },
  };
}
