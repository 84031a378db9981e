import { randomUUID } from 'node:crypto';
import { violationsOf } from '../../../lib/protocol/chat-message';

type Json = Record<string, unknown>;

const CHAT_TEXTS = [
  'endUserFirstName',
  'endUserLastName',
  'endUserId',
  'endUserEmail',
  'endUserPhone',
  'customerSupportDisplayName',
  'endUserOs',
  'endUserUrl',
];

const MESSAGE_TEXTS = [
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
];

const SECRET = 'Mari Maasikas, 49001010000';

const texts = (names: string[], value: unknown = 'õ'): Json => Object.fromEntries(names.map((name) => [name, value]));

const chat = (change: Json = {}): Json => ({ id: randomUUID(), created: '2026-11-20T10:00:00.000Z', ...change });

const message = (change: Json = {}): Json => ({
  id: randomUUID(),
  chatId: randomUUID(),
  authorTimestamp: '2026-11-20T10:00:00.000Z',
  authorRole: 'end-user',
  ...change,
});

const posted = (change: Json = {}): Json => ({
  id: randomUUID(),
  recipientId: randomUUID(),
  timestamp: '2026-11-20T10:00:00.000Z',
  type: 'ChatMessage',
  payload: { chat: chat(), messages: [message()] },
  ...change,
});

const withChat = (change: Json) => posted({ payload: { chat: chat(change), messages: [message()] } });
const withMessage = (change: Json) => posted({ payload: { chat: chat(), messages: [message(), message(change)] } });

/** `path rule` of every violation. */
const broken = (value: unknown): string[] => violationsOf(value).map(({ path, rule }) => `${path} ${rule}`);

describe('a valid message', () => {
  it.each([
    ['with what is required', posted()],
    ['with every optional text', posted({ payload: { chat: chat(texts(CHAT_TEXTS)), messages: [] } })],
    ['with every optional text of a message', withMessage(texts(MESSAGE_TEXTS))],
    ['with empty optional texts', withMessage(texts(MESSAGE_TEXTS, ''))],
    ['with null for optional texts', withChat(texts(CHAT_TEXTS, null))],
    [
      'with many messages',
      posted({ payload: { chat: chat(), messages: Array.from({ length: 50 }, () => message()) } }),
    ],
    ['with a UUID in capitals', posted({ id: randomUUID().toUpperCase() })],
  ])('%s breaks no rule', (_what, value) => {
    expect(violationsOf(value)).toEqual([]);
  });

  it('is left as it is', () => {
    const value = withMessage({ content: '  two blanks  ' });
    const before = structuredClone(value);
    violationsOf(value);
    expect(value).toEqual(before);
  });
});

describe('the body', () => {
  it.each([undefined, null, 'text', 1, true, [], [posted()]])('must be an object, not %p', (value) => {
    expect(violationsOf(value)).toEqual([{ path: '', rule: 'object', message: 'The body must be a JSON object.' }]);
  });

  it('breaks every rule when it is empty', () => {
    expect(broken({}).sort()).toEqual(
      ['id', 'payload', 'recipientId', 'timestamp', 'type'].map((p) => `${p} required`),
    );
  });
});

const WRONG_UUIDS: [string, unknown, string][] = [
  ['missing', undefined, 'required'],
  ['null', null, 'required'],
  ['a number', 1, 'string'],
  ['a list', [randomUUID()], 'string'],
  ['empty', '', 'uuid'],
  ['no UUID', 'x', 'uuid'],
  ['longer', `${randomUUID()}0`, 'uuid'],
  ['followed by a line break', `${randomUUID()}\n`, 'uuid'],
];

const WRONG_TEXTS: [string, unknown, string][] = [
  ['missing', undefined, 'required'],
  ['null', null, 'required'],
  ['empty', '', 'stringEmpty'],
  ['a number', 1, 'string'],
  ['an object', {}, 'string'],
];

describe('a UUID', () => {
  it.each(WRONG_UUIDS)('may not be %s', (_what, value, rule) => {
    expect(broken(posted({ id: value }))).toEqual([`id ${rule}`]);
    expect(broken(posted({ recipientId: value }))).toEqual([`recipientId ${rule}`]);
    expect(broken(withChat({ id: value }))).toEqual([`payload.chat.id ${rule}`]);
    expect(broken(withMessage({ id: value }))).toEqual([`payload.messages[1].id ${rule}`]);
    expect(broken(withMessage({ chatId: value }))).toEqual([`payload.messages[1].chatId ${rule}`]);
  });
});

describe('a required text', () => {
  it.each(WRONG_TEXTS)('may not be %s', (_what, value, rule) => {
    expect(broken(withChat({ created: value }))).toEqual([`payload.chat.created ${rule}`]);
    expect(broken(withMessage({ authorRole: value }))).toEqual([`payload.messages[1].authorRole ${rule}`]);
    expect(broken(withMessage({ authorTimestamp: value }))).toEqual([`payload.messages[1].authorTimestamp ${rule}`]);
  });
});

describe('an optional text', () => {
  it.each(CHAT_TEXTS)('chat.%s must be a text', (name) => {
    for (const value of [1, true, {}, ['x']]) {
      expect(broken(withChat({ [name]: value }))).toEqual([`payload.chat.${name} string`]);
    }
  });

  it.each(MESSAGE_TEXTS)('message.%s must be a text', (name) => {
    for (const value of [1, true, {}, ['x']]) {
      expect(broken(withMessage({ [name]: value }))).toEqual([`payload.messages[1].${name} string`]);
    }
  });
});

describe('the type', () => {
  it.each([
    ['missing', undefined, 'required'],
    ['of another kind', 'Broadcast', 'equalValue'],
    ['in another case', 'chatmessage', 'equalValue'],
    ['a list', ['ChatMessage'], 'equalValue'],
  ])('may not be %s', (_what, type, rule) => {
    expect(broken(posted({ type }))).toEqual([`type ${rule}`]);
  });
});

describe('the timestamp', () => {
  it.each([
    ['missing', undefined, 'required'],
    ['a number', 1795168800000, 'isoTimestamp'],
    ['without milliseconds', '2026-11-20T10:00:00Z', 'isoTimestamp'],
    ['in another zone', '2026-11-20T12:00:00.000+02:00', 'isoTimestamp'],
    ['a day that does not exist', '2026-02-30T10:00:00.000Z', 'isoTimestamp'],
  ])('may not be %s', (_what, timestamp, rule) => {
    expect(broken(posted({ timestamp }))).toEqual([`timestamp ${rule}`]);
  });
});

describe('the payload', () => {
  it.each([
    ['a text', 'sealed', 'payload object'],
    ['a list', [], 'payload object'],
    ['null', null, 'payload required'],
  ])('may not be %s', (_what, payload, expected) => {
    expect(broken(posted({ payload }))).toEqual([expected]);
  });

  it.each([
    ['no chat', { messages: [] }, 'payload.chat required'],
    ['a chat that is a text', { chat: 'x', messages: [] }, 'payload.chat object'],
    ['no messages', { chat: chat() }, 'payload.messages required'],
    ['messages that are an object', { chat: chat(), messages: { 0: message() } }, 'payload.messages array'],
    ['a message that is a text', { chat: chat(), messages: [message(), 'x'] }, 'payload.messages[1] object'],
    ['a message that is null', { chat: chat(), messages: [null] }, 'payload.messages required'],
  ])('may not have %s', (_what, payload, expected) => {
    expect(broken(posted({ payload }))).toEqual([expected]);
  });
});

describe('a property nobody knows', () => {
  // `senderId` is the agent's to set; the others are names that objects have anyway.
  it.each(['extra', 'senderId', 'constructor', 'toString', '__proto__'])('%s is refused at every level', (name) => {
    const extra = JSON.parse(`{"${name}": "${SECRET}"}`) as Json;
    const add = (to: Json): Json => Object.defineProperties(to, Object.getOwnPropertyDescriptors(extra));
    const parts = () => ({ chat: chat(), messages: [message()] });
    const cases: [Json, string][] = [
      [add(posted()), ''],
      [posted({ payload: add(parts()) }), 'payload'],
      [posted({ payload: { ...parts(), chat: add(chat()) } }), 'payload.chat'],
      [posted({ payload: { ...parts(), messages: [add(message())] } }), 'payload.messages[0]'],
    ];
    for (const [value, path] of cases) expect(broken(value)).toEqual([`${path} objectStrict`]);
  });
});

describe('the texts', () => {
  it('name the field and never repeat a value', () => {
    const value = posted({
      id: SECRET,
      recipientId: SECRET,
      timestamp: SECRET,
      type: SECRET,
      secret: SECRET,
      payload: {
        chat: { id: SECRET, created: [SECRET], endUserFirstName: [SECRET], more: SECRET },
        messages: [{ id: SECRET, content: { SECRET }, authorRole: [SECRET] }, SECRET],
      },
    });
    const violations = violationsOf(value);
    expect(violations.length).toBeGreaterThan(12);
    expect(JSON.stringify(violations)).not.toContain(SECRET);
    for (const { path, message: text } of violations) expect(text).toContain(path.split('.').at(-1));
  });
});
