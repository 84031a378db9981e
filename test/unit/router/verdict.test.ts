import { ERROR_TYPES } from '../../../lib/protocol/events';
import { verdictOf } from '../../../lib/router/verdict';

const error = (...types: unknown[]) => ({ status: 'error', errors: types.map((type) => ({ type, message: 'why' })) });

describe('verdictOf', () => {
  it('takes ok for delivered', () => {
    expect(verdictOf({ status: 'ok' })).toEqual({ kind: 'delivered' });
  });

  it.each([...ERROR_TYPES].filter((type) => type !== 'DELIVERY_FAILED'))('takes %s for a refusal', (type) => {
    expect(verdictOf(error(type))).toEqual({ kind: 'rejected', errors: [{ type, message: 'why' }] });
  });

  it('keeps every error of a refusal', () => {
    const verdict = verdictOf(error('INVALID_FORMAT', 'INVALID_FORMAT', 'UNKNOWN'));
    expect(verdict).toMatchObject({ kind: 'rejected', errors: [{}, {}, { type: 'UNKNOWN' }] });
  });

  it('tries again after DELIVERY_FAILED, whatever stands beside it', () => {
    const retry = { kind: 'retry', reason: 'DELIVERY_FAILED' };
    expect(verdictOf(error('DELIVERY_FAILED'))).toEqual(retry);
    expect(verdictOf(error('UNKNOWN', 'DELIVERY_FAILED'))).toEqual(retry);
  });

  it('takes a failure that the agent calls final for the end', () => {
    const errors = [{ type: 'DELIVERY_FAILED', message: 'why', final: true }];
    expect(verdictOf({ status: 'error', errors })).toEqual({ kind: 'final' });
  });

  it.each([
    [
      { type: 'DELIVERY_FAILED', message: '', final: 'true' },
      { kind: 'retry', reason: 'DELIVERY_FAILED' },
    ],
    [
      { type: 'UNKNOWN', message: '', final: true },
      { kind: 'rejected', errors: [{ type: 'UNKNOWN', message: '' }] },
    ],
    [
      { type: 'SOMETHING', message: '', final: true },
      { kind: 'retry', reason: 'BAD_ACK' },
    ],
  ])('takes %j as if nothing were final', (error, verdict) => {
    expect(verdictOf({ status: 'error', errors: [error] })).toEqual(verdict);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['true', true],
    ['the text ok', 'ok'],
    ['a list with ok', ['ok']],
    ['a list with an ok object', [{ status: 'ok' }]],
    ['an empty object', {}],
    ['another status', { status: 'OK' }],
    ['a status that is true', { status: true }],
    ['an error without errors', { status: 'error' }],
    ['an empty list of errors', error()],
    ['errors that are a text', { status: 'error', errors: 'DECRYPTION_FAILED' }],
    ["the server's form of an error", { status: 'error', error: 'Validation failed' }],
    ['errors without a status', { errors: [{ type: 'DECRYPTION_FAILED', message: '' }] }],
    ['an unknown type', error('SOMETHING')],
    ['an unknown type beside a known one', error('DECRYPTION_FAILED', 'SOMETHING')],
    ['a type that is a list', error(['DECRYPTION_FAILED'])],
    ['a name that every object has', error('constructor')],
    ['an error that is null', { status: 'error', errors: [null] }],
    ['an error that is a text', { status: 'error', errors: ['DECRYPTION_FAILED'] }],
    ['more errors than there are rules', error(...Array<string>(51).fill('INVALID_FORMAT'))],
  ])('never takes %s for delivered or refused', (_what, answer) => {
    expect(verdictOf(answer)).toEqual({ kind: 'retry', reason: 'BAD_ACK' });
  });

  it('keeps a text short and replaces what is none', () => {
    const answer = { status: 'error', errors: ['x'.repeat(10_000), undefined, { secret: 1 }].map(withMessage) };
    const verdict = verdictOf(answer);
    const texts = verdict.kind === 'rejected' ? verdict.errors.map(({ message }) => message) : [];
    expect(texts).toEqual(['x'.repeat(500), '', '']);
  });

  it('hands on nothing else of an answer', () => {
    const errors = [{ type: 'UNKNOWN', message: 'why', stack: 'at …' }];
    expect(verdictOf({ status: 'error', errors, more: 1 })).toEqual({
      kind: 'rejected',
      errors: [{ type: 'UNKNOWN', message: 'why' }],
    });
  });
});

const withMessage = (message: unknown) => ({ type: 'UNKNOWN', message });
