import type { Message } from 'amqplib';
import { selectionOf } from '../../../lib/dlq/selection';

function letter(headers: object, body: unknown = {}, messageId: unknown = 'a'): Message {
  const properties = { messageId, headers } as unknown as Message['properties'];
  return { content: Buffer.from(JSON.stringify(body)), fields: {} as Message['fields'], properties };
}

describe('a selection of dead letters', () => {
  it.each([
    [{}, 'SELECTION_MISSING'],
    [{ all: false }, 'SELECTION_MISSING'],
    [{ all: true, ids: ['a'] }, 'SELECTION_AMBIGUOUS'],
    [{ reason: 'expired', to: '2026-01-01T00:00Z' }, 'SELECTION_AMBIGUOUS'],
    [{ from: 'soon' }, 'SELECTION_INVALID'],
    [{ from: '10' }, 'SELECTION_INVALID'],
    [{ to: 'last 10' }, 'SELECTION_INVALID'],
    [{ to: '2026-01-31' }, 'SELECTION_INVALID'],
    [{ from: '2026-01-31T12:00:00' }, 'SELECTION_INVALID'],
    [{ from: '2026-01-32T12:00:00Z' }, 'SELECTION_INVALID'],
    [{ from: '' }, 'SELECTION_INVALID'],
  ])('is refused when it is none, or two: %j', (params, code) => {
    expect(() => selectionOf(params)).toThrow(expect.objectContaining({ code, retryable: false }) as Error);
  });

  it('by id takes the id of the message, or of its body where the message has none', () => {
    const { matches } = selectionOf({ ids: ['a'] });
    expect(matches(letter({}))).toBe(true);
    expect(matches(letter({}, { id: 'a' }, undefined))).toBe(true);
    expect(matches(letter({}, { id: 'a' }, 'b'))).toBe(false);
  });

  it("by reason takes this project's reason before RabbitMQ's", () => {
    const headers = { 'x-dmr-reason': 'NO_ACK', 'x-first-death-reason': 'expired' };
    expect(selectionOf({ reason: 'NO_ACK' }).matches(letter(headers))).toBe(true);
    expect(selectionOf({ reason: 'expired' }).matches(letter(headers))).toBe(false);
    expect(selectionOf({ reason: 'expired' }).matches(letter({ 'x-first-death-reason': 'expired' }))).toBe(true);
    expect(selectionOf({ reason: 'unknown' }).matches(letter({ 'x-dmr-reason': 'two words' }))).toBe(true);
  });

  it('by reason takes the types of the errors of a refused message', () => {
    const refused = letter({}, { errors: [{ type: 'INVALID_FORMAT' }, { type: 'UNKNOWN' }] });
    expect(selectionOf({ reason: 'UNKNOWN' }, true).matches(refused)).toBe(true);
    expect(selectionOf({ reason: 'unknown' }, true).matches(refused)).toBe(false);
    expect(selectionOf({ reason: 'INVALID_TIMESTAMP' }, true).matches(refused)).toBe(false);
  });

  it('by time takes both ends, either of which may be open, and nothing without a time', () => {
    const at = (time: string) => letter({ 'x-dmr-dead-at': time });
    const { matches } = selectionOf({ from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' });
    expect(matches(at('2026-01-01T00:00:00.000Z'))).toBe(true);
    expect(matches(at('2026-01-02T00:00:00.000Z'))).toBe(true);
    expect(matches(at('2026-01-02T00:00:00.001Z'))).toBe(false);
    expect(matches(at('2025-12-31T23:59:59.999Z'))).toBe(false);
    expect(selectionOf({ to: '2026-01-02T00:00:00Z' }).matches(at('1999-01-01T00:00:00.000Z'))).toBe(true);
    expect(selectionOf({ from: '2026-01-01T02:00+02:00' }).matches(at('2026-01-01T00:00:00.000Z'))).toBe(true);
    expect(matches(letter({}))).toBe(false);
    expect(matches(letter({}, { receivedAt: '2026-01-01T12:00:00.000Z' }))).toBe(true);
  });
});
