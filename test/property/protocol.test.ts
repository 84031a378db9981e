import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { tokenOf } from '../../lib/gateway/handshake';
import { violationsOf } from '../../lib/protocol/chat-message';
import { idOf, isIsoTimestamp, parseEnvelope } from '../../lib/protocol/envelope';
import { ERROR_TYPES } from '../../lib/protocol/events';
import { verdictOf } from '../../lib/router/verdict';
import { readList } from '../../lib/uplink/agent-list';
import { anyText, anyValue, edit, edited, forMutants, runs } from './arbitraries';

type Fields = Record<string, unknown>;

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const ISO = /^(\d{4}|[+-]\d{6})-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;
/** In every mutant; no rule's text may repeat it. */
const CANARY = 'mari.maasikas@example.ee';

const isUuid = (value: unknown) => typeof value === 'string' && UUID.test(value);
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const envelope = {
  id: randomUUID(),
  senderId: randomUUID(),
  recipientId: randomUUID(),
  type: 'ChatMessage',
  payload: CANARY,
  timestamp: '2026-11-20T10:00:00.000Z',
};

const chatId = randomUUID();
const chatMessage = {
  id: randomUUID(),
  recipientId: randomUUID(),
  type: 'ChatMessage',
  timestamp: '2026-11-20T10:00:00.000Z',
  payload: {
    chat: { id: chatId, created: CANARY, endUserEmail: CANARY },
    messages: [{ id: randomUUID(), chatId, authorTimestamp: CANARY, authorRole: 'end-user', content: CANARY }],
  },
};

const agent = { id: randomUUID(), name: 'Police', authenticationCertificate: 'key', createdAt: '', updatedAt: '' };
const ack = { status: 'error', errors: [{ type: 'DECRYPTION_FAILED', message: 'why' }] };

/** The form of an envelope once more, in other words than the code's. */
function isEnvelope(value: unknown): boolean {
  if (!isFields(value)) return false;
  const { id, senderId, recipientId, type, payload, timestamp } = value;
  const ids = [id, senderId, recipientId].every(isUuid);
  return ids && type === 'ChatMessage' && typeof payload === 'string' && payload !== '' && ISO.test(String(timestamp));
}

const isText = (value: unknown) => typeof value === 'string';

describe('parseEnvelope', () => {
  it('takes what has the form of an envelope as it is, and answers everything else with errors of the contract', () => {
    forMutants(envelope, 12_000, (mutant) => {
      const result = parseEnvelope(mutant);
      if ('envelope' in result) return isEnvelope(mutant) && result.envelope === mutant;
      const { ackError, errors } = result.refusal;
      const text = JSON.stringify(result.refusal);
      const known = errors.length > 0 && errors.every(({ type }) => ERROR_TYPES.has(type));
      return known && ackError.length > 0 && !text.includes(CANARY) && text.length < 2000;
    });
  });

  it('takes every envelope, whatever else it carries', () => {
    fc.assert(
      fc.property(fc.dictionary(anyText, anyValue, { maxKeys: 4 }), fc.uuid(), anyText, (extra, id, payload) => {
        const valid = { ...extra, ...envelope, id, payload: `${payload}.` };
        const result = parseEnvelope(valid);
        return 'envelope' in result && result.envelope === valid;
      }),
      runs(10_000),
    );
  });
});

describe('idOf', () => {
  it('is a text of 1 to 64 characters or nothing', () => {
    forMutants({ id: 'x' }, 10_000, (mutant) => {
      const id = idOf(mutant);
      return id === undefined || (id.length > 0 && id.length <= 64);
    });
  });
});

describe('isIsoTimestamp', () => {
  it('holds for what a date prints, and for nothing that differs from that in form or value', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), edit, (date, change) => {
        const printed = date.toISOString();
        const other = edited(printed, change);
        const time = Date.parse(other);
        const isPrinted = !Number.isNaN(time) && new Date(time).toISOString() === other;
        return isIsoTimestamp(printed) && isIsoTimestamp(other) === isPrinted;
      }),
      runs(50_000),
    );
  });
});

describe('violationsOf', () => {
  it('names path and rule of whatever is wrong, and never the value', () => {
    forMutants(chatMessage, 4000, (mutant) => {
      const violations = violationsOf(mutant);
      const named = violations.every(({ path, rule, message }) => [path, rule, message].every(isText));
      if (!named || JSON.stringify(violations).includes(CANARY)) return false;
      if (violations.length > 0) return true;
      const { id, recipientId, type, timestamp, payload } = mutant as typeof chatMessage;
      return [id, recipientId, payload.chat.id].every(isUuid) && type === 'ChatMessage' && ISO.test(timestamp);
    });
  });

  it('lets no property through that is not in the contract, wherever it stands', () => {
    const { payload } = chatMessage;
    fc.assert(
      fc.property(anyText, anyValue, (name, value) => {
        const odd = { [`x-${name}`]: value };
        const [message] = payload.messages;
        return [
          { ...chatMessage, ...odd },
          { ...chatMessage, payload: { ...payload, ...odd } },
          { ...chatMessage, payload: { ...payload, chat: { ...payload.chat, ...odd } } },
          { ...chatMessage, payload: { ...payload, messages: [{ ...message, ...odd }] } },
        ].every((changed) => violationsOf(changed).length > 0);
      }),
      runs(5000),
    );
  });
});

describe('readList', () => {
  it('is nothing, or a list of entries that came in, each with an id and a key or a removal', () => {
    forMutants([[agent, { id: agent.id, deleted: true }]], 8000, (mutant) => {
      const usable = readList(mutant)?.every(
        ({ id, deleted, authenticationCertificate: key }) => isText(id) && (deleted === true || isText(key)),
      );
      return usable ?? true;
    });
  });

  it('is empty for an empty list alone: it would make everybody unknown', () => {
    forMutants([[agent]], 8000, (mutant) => {
      return readList(mutant)?.length !== 0 || ['[]', '[[]]'].includes(JSON.stringify(mutant));
    });
  });
});

describe('verdictOf', () => {
  it('is delivered for a plain ok alone; a rejection has known types only and short texts', () => {
    forMutants(ack, 15_000, (mutant) => {
      const verdict = verdictOf(mutant);
      if (verdict.kind === 'delivered') return (mutant as Fields).status === 'ok';
      if (verdict.kind === 'retry' || verdict.kind === 'final') return true;
      const bounded = verdict.errors.every(({ type, message }) => ERROR_TYPES.has(type) && message.length <= 500);
      return bounded && verdict.errors.length > 0 && (mutant as Fields).status === 'error';
    });
  });
});

describe('tokenOf', () => {
  it('finds something or nothing in any handshake', () => {
    fc.assert(
      fc.property(fc.dictionary(anyText, anyValue, { maxKeys: 3 }), anyText, (auth, authorization) => {
        const token = tokenOf({ handshake: { auth, headers: { authorization } } } as never);
        if (auth.token !== undefined) return token === auth.token;
        return token === undefined || (typeof token === 'string' && authorization.endsWith(token));
      }),
      runs(10_000),
    );
  });
});
