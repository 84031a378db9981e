import { isIsoTimestamp, parseEnvelope } from '../../../lib/protocol/envelope';
import vectors from '../../vectors/envelope.json';
import type { EnvelopeVectors } from '../../vectors/envelope-cases';

const all = (vectors as EnvelopeVectors).vectors;
const valid = all[0]!.message as Record<string, unknown>;

/** Who an envelope is from and for is not a matter of its form. */
const ofParties = (types: string[] = []) => types.some((type) => type.endsWith('_ID'));

function refusalOf(message: unknown) {
  const result = parseEnvelope(message);
  if ('envelope' in result) throw new Error('not refused');
  return result.refusal;
}

describe('envelope.json', () => {
  const accepted = all.filter(({ ack, errorTypes }) => ack.status === 'ok' || ofParties(errorTypes));
  const refused = all.filter((vector) => !accepted.includes(vector));

  it('has vectors of both kinds', () => {
    expect(accepted.length).toBeGreaterThan(5);
    expect(refused.length).toBeGreaterThan(50);
  });

  it.each(accepted.map(({ name, message }) => [name, message]))('well-formed: %s', (_name, message) => {
    expect(parseEnvelope(structuredClone(message))).toEqual({ envelope: message });
  });

  it.each(refused.map((vector) => [vector.name, vector] as const))('refused: %s', (_name, vector) => {
    const { ackError, errors } = refusalOf(vector.message);
    expect({ status: 'error', error: ackError }).toEqual(vector.ack);
    expect(errors.map(({ type }) => type)).toEqual(vector.errorTypes);
    expect(errors.every(({ message }) => message.length > 0)).toBe(true);
  });
});

describe('parseEnvelope', () => {
  it('hands on the very object, untouched', () => {
    const message = Object.freeze({ ...valid, extra: Object.freeze({ deep: [1] }) });
    expect(parseEnvelope(message)).toEqual({ envelope: message });
    expect((parseEnvelope(message) as { envelope: unknown }).envelope).toBe(message);
  });

  it('names the field that breaks a rule', () => {
    for (const field of ['id', 'senderId', 'recipientId', 'type', 'payload', 'timestamp']) {
      expect(refusalOf({ ...valid, [field]: 7 }).errors[0]?.message).toContain(`'${field}'`);
    }
  });

  it('adds the timestamp to what else is wrong, under the text of the worse', () => {
    const { ackError, errors } = refusalOf({ ...valid, id: 'x', timestamp: 'y' });
    expect(ackError).toBe('Validation failed');
    expect(errors.map(({ type }) => type)).toEqual(['INVALID_FORMAT', 'INVALID_TIMESTAMP']);
  });

  it('reports every broken rule of an empty object', () => {
    const types = refusalOf({}).errors.map(({ type }) => type);
    expect(types).toEqual([...Array<string>(5).fill('INVALID_FORMAT'), 'INVALID_TIMESTAMP']);
  });

  it('repeats no value in a text', () => {
    const secret = 'Mari Maasikas';
    const message = Object.fromEntries(Object.keys(valid).map((field) => [field, secret]));
    expect(JSON.stringify(refusalOf({ ...message, payload: { secret } }))).not.toContain(secret);
  });

  it('takes nothing that is not plain data for an object', () => {
    for (const message of [undefined, () => valid, Symbol('x'), 1n]) {
      expect(refusalOf(message).ackError).toBe('Message validation failed');
    }
  });
});

describe('isIsoTimestamp', () => {
  it('is true for what Date prints and nothing else', () => {
    expect(isIsoTimestamp(new Date().toISOString())).toBe(true);
    expect(isIsoTimestamp(new Date())).toBe(false);
    expect(isIsoTimestamp('2026-11-20T10:00:00.000+00:00')).toBe(false);
  });

  it.each([
    ['2024-02-29T00:00:00.000Z', true],
    ['2026-02-28T23:59:59.999Z', true],
    ['2026-12-31T10:00:00.000Z', true],
    ['0000-01-01T00:00:00.000Z', true],
    ['+010000-01-01T00:00:00.000Z', true],
    ['2026-02-29T10:00:00.000Z', false],
    ['2026-04-31T10:00:00.000Z', false],
    ['2026-13-01T10:00:00.000Z', false],
    ['2026-00-01T10:00:00.000Z', false],
    ['2026-01-00T10:00:00.000Z', false],
    ['2026-01-01T24:00:00.000Z', false],
    ['2026-01-01T10:60:00.000Z', false],
    ['2026-01-01T10:00:60.000Z', false],
    ['2026-01-01T10:00:00.000Z\n', false],
    ['2026-01-01T10:00:00.00Z', false],
    ['2026-01-01 10:00:00.000Z', false],
  ])('of %j is %s', (text, isOne) => {
    expect(isIsoTimestamp(text)).toBe(isOne);
  });
});
