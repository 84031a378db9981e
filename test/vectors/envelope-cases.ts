/** Envelopes and what a server must say to them; `scripts/make-vectors.ts` writes them to envelope.json. */
export interface EnvelopeVector {
  name: string;
  /** The argument of `dmr:agents:message-to-dmr-server`. */
  message: unknown;
  /** `error` is absent where the text is the server's own. */
  ack: { status: 'ok' } | { status: 'error'; error?: string };
  /** Types filed under `validation-failures`, in any order; absent for an accepted message. */
  errorTypes?: string[];
  /** The deployed server lacks this rule and accepts the message. */
  acceptedByDeployedServer?: true;
}

export interface EnvelopeVectors {
  version: 1;
  /** The agents CentOps lists. */
  known: { id: string; name: string }[];
  /** The agent whose token opened the connection that every message comes in on. */
  authenticatedAs: string;
  vectors: EnvelopeVector[];
}

const ALPHA = '3f1a5c1e-6f0e-4c0b-9d0f-0a1b2c3d4e01';
const BETA = '7b2d9e44-1c57-4a8e-8f3b-5e6f7a8b9c02';
const STRANGER = 'c0ffee00-dead-4bee-8fed-0123456789ab';

const valid = {
  id: 'a3bb189e-8bf9-4c3a-9f1d-2e5f6a7b8c9d',
  type: 'ChatMessage',
  senderId: ALPHA,
  recipientId: BETA,
  timestamp: '2026-11-20T10:00:00.000Z',
  payload: 'eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AAAA.AAAA.AAAA.AAAA',
};

type Field = keyof typeof valid;
type Change = Partial<Record<Field, unknown>> & Record<string, unknown>;

const without = (field: Field): Change => Object.fromEntries(Object.entries(valid).filter(([name]) => name !== field));

function accept(name: string, change: Change = {}): EnvelopeVector {
  return { name, message: { ...valid, ...change }, ack: { status: 'ok' } };
}

function refuse(name: string, message: unknown, error: string, ...errorTypes: string[]): EnvelopeVector {
  return { name, message, ack: { status: 'error', error }, errorTypes };
}

const malformed = (name: string, change: Change, violations = 1): EnvelopeVector =>
  refuse(name, { ...valid, ...change }, 'Validation failed', ...Array<string>(violations).fill('INVALID_FORMAT'));

const incomplete = (field: Field): EnvelopeVector =>
  refuse(`${field} is missing`, without(field), 'Validation failed', 'INVALID_FORMAT');

const mistimed = (timestamp: unknown, why: string): EnvelopeVector =>
  refuse(`timestamp: ${why}`, { ...valid, timestamp }, 'Invalid timestamp format', 'INVALID_TIMESTAMP');

const accepted = [
  accept('everything as it should be'),
  accept('unknown fields travel along', { trace: { id: 1, tags: ['a', null] }, note: '' }),
  accept('receivedAt of the sender is replaced by the server', { receivedAt: '1999-01-01T00:00:00.000Z' }),
  accept('a UUID in capitals is a UUID', { id: valid.id.toUpperCase() }),
  accept('the sender may write to itself', { recipientId: ALPHA }),
  accept('timestamp: leap day', { timestamp: '2024-02-29T23:59:59.999Z' }),
  accept('timestamp: long past', { timestamp: '0000-01-01T00:00:00.000Z' }),
  accept('timestamp: year before zero, six digits and a sign', { timestamp: '-000001-12-31T23:59:59.999Z' }),
  accept('timestamp: year past 9999, six digits and a sign', { timestamp: '+010000-01-01T00:00:00.000Z' }),
  accept('timestamp: the last one there is', { timestamp: '+275760-09-13T00:00:00.000Z' }),
];

const notObjects = [null, true, 1, 'text', JSON.stringify(valid), [], [valid]].map((message) =>
  refuse(`not an object: ${JSON.stringify(message).slice(0, 12)}`, message, 'Message validation failed', 'UNKNOWN'),
);

const ids = (['id', 'senderId', 'recipientId'] as const).flatMap((field) => [
  incomplete(field),
  malformed(`${field} is empty`, { [field]: '' }),
  malformed(`${field} is null`, { [field]: null }),
  malformed(`${field} is a number`, { [field]: 1 }),
  malformed(`${field} is a list of one UUID`, { [field]: [valid[field]] }),
  malformed(`${field} lacks its hyphens`, { [field]: valid[field].replaceAll('-', '') }),
  malformed(`${field} is one digit short`, { [field]: valid[field].slice(0, -1) }),
  malformed(`${field} is one digit long`, { [field]: `${valid[field]}0` }),
  malformed(`${field} has a letter that is no digit`, { [field]: valid[field].replace(/^./, 'g') }),
  malformed(`${field} stands in braces`, { [field]: `{${valid[field]}}` }),
  malformed(`${field} ends in a line break`, { [field]: `${valid[field]}\n` }),
]);

const typesAndPayloads = [
  incomplete('type'),
  malformed('type is empty', { type: '' }),
  malformed('type is unknown', { type: 'Broadcast' }),
  malformed('type in another case', { type: 'chatmessage' }),
  malformed('type is a list', { type: ['ChatMessage'] }),
  incomplete('payload'),
  malformed('payload is empty', { payload: '' }),
  malformed('payload is null', { payload: null }),
  malformed('payload is an object', { payload: { chat: {} } }),
  malformed('two rules violated, two errors', { id: 'x', type: 'x' }, 2),
  malformed('five rules violated, five errors', { id: 1, senderId: 2, recipientId: 3, type: 4, payload: 5 }, 5),
];

const timestamps = [
  refuse('timestamp is missing', without('timestamp'), 'Invalid timestamp format', 'INVALID_TIMESTAMP'),
  mistimed('', 'empty'),
  mistimed(null, 'null'),
  mistimed(1795168800000, 'a number'),
  mistimed('2026-11-20', 'a date alone'),
  mistimed('2026-11-20T10:00:00Z', 'no milliseconds'),
  mistimed('2026-11-20T10:00:00.00Z', 'two digits of a second'),
  mistimed('2026-11-20T10:00:00.0000Z', 'four digits of a second'),
  mistimed('2026-11-20T10:00:00.000', 'no zone'),
  mistimed('2026-11-20T10:00:00.000+00:00', 'zero offset in place of Z'),
  mistimed('2026-11-20T12:00:00.000+02:00', 'another zone'),
  mistimed('2026-11-20 10:00:00.000Z', 'a blank in place of T'),
  mistimed('2026-11-20t10:00:00.000z', 'small letters'),
  mistimed(' 2026-11-20T10:00:00.000Z', 'a blank in front'),
  mistimed('2026-11-20T10:00:00.000Z\n', 'a line break behind'),
  mistimed('2026-11-20T24:00:00.000Z', 'hour 24, which prints as the next day'),
  mistimed('2026-12-31T23:59:60.000Z', 'a leap second'),
  mistimed('2026-02-30T10:00:00.000Z', 'a day that does not exist'),
  mistimed('2026-13-01T10:00:00.000Z', 'a month that does not exist'),
  mistimed('+002026-11-20T10:00:00.000Z', 'six digits for a year of four'),
  mistimed('-000000-01-01T00:00:00.000Z', 'minus zero'),
  mistimed('10000-01-01T00:00:00.000Z', 'five digits'),
  mistimed('+275760-09-13T00:00:00.001Z', 'past the last one there is'),
  mistimed('Fri, 20 Nov 2026 10:00:00 GMT', 'the form of HTTP'),
];

const parties: EnvelopeVector[] = [
  refuse(
    'unknown sender',
    { ...valid, senderId: STRANGER },
    `Sender agent with ID ${STRANGER} not found`,
    'INVALID_SENDER_ID',
  ),
  refuse(
    'unknown recipient',
    { ...valid, recipientId: STRANGER },
    `Recipient agent with ID ${STRANGER} not found`,
    'INVALID_RECIPIENT_ID',
  ),
  {
    name: 'sender is known but not the one who is connected',
    message: { ...valid, senderId: BETA, recipientId: ALPHA },
    ack: { status: 'error' },
    errorTypes: ['INVALID_SENDER_ID'],
    acceptedByDeployedServer: true,
  },
];

/** Everything that envelope.json holds. */
export const envelopeVectors: EnvelopeVectors = {
  version: 1,
  known: [
    { id: ALPHA, name: 'alpha' },
    { id: BETA, name: 'beta' },
  ],
  authenticatedAs: ALPHA,
  vectors: [...accepted, ...notObjects, ...ids, ...typesAndPayloads, ...timestamps, ...parties],
};
