import fc from 'fast-check';
import { inspect } from 'node:util';
import { EXAMPLE_MESSAGE } from '../../lib/openapi/examples';
import { violationsOf } from '../../lib/protocol/chat-message';
import { checkOf } from '../helpers/openapi';
import { anyText, edit, edited, forMutants, runs } from './arbitraries';

const check = checkOf('components schemas Message');

/** As it comes from the wire: what JSON cannot say never arrives. What is too deep to be printed is JSON already. */
function wire(value: unknown): unknown {
  if (value === undefined) return undefined;
  try {
    return JSON.parse(JSON.stringify(value)) as unknown;
  } catch {
    return value;
  }
}

/** JavaScript prints the years before 0 and after 9999 with six digits and a sign; RFC 3339 has none. */
const hasLongYear = (value: unknown) =>
  /^[+-]\d{6}-/.test(String((value as { timestamp?: unknown } | null)?.timestamp));

function agree(body: unknown): boolean {
  const value = wire(body);
  const taken = violationsOf(value).length === 0;
  if (taken && hasLongYear(value)) return !check(value);
  return check(value) === taken;
}

function expectAgreement(body: unknown): void {
  if (!agree(body))
    throw new Error(`The two do not agree about ${inspect(body, { depth: 10 })}: ${inspect(check.errors)}`);
}

describe('the schema of a message in the OpenAPI document', () => {
  it('takes what the agent takes and nothing else, whatever is wrong with a message', () => {
    // Every optional text is there, so that each is changed and taken away as well.
    const chat = { ...EXAMPLE_MESSAGE.payload.chat, endUserEmail: null, endUserUrl: '' };
    const messages = EXAMPLE_MESSAGE.payload.messages.map((message) => ({ ...message, event: '', buttons: null }));
    forMutants({ ...EXAMPLE_MESSAGE, payload: { chat, messages } }, 300, (mutant) => agree(mutant));
  });

  it('agrees about ids', () => {
    const near = fc.tuple(fc.oneof(fc.uuid(), fc.constant('00000000-0000-0000-0000-000000000000')), edit, fc.boolean());
    fc.assert(
      fc.property(near, ([id, change, upper]) => {
        const text = edited(id, change);
        expectAgreement({ ...EXAMPLE_MESSAGE, id: upper ? text.toUpperCase() : text });
      }),
      runs(2000),
    );
    for (const version of '0123456789abcdef') {
      for (const variant of '0123456789abcdef') {
        expectAgreement({ ...EXAMPLE_MESSAGE, id: `1b4e28ba-2fa1-${version}1d2-${variant}83f-0016d3cca427` });
      }
    }
  });

  it('agrees about timestamps', () => {
    const time = fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
    fc.assert(
      fc.property(fc.oneof(time, fc.constant('2024-02-29T23:59:59.999Z')), edit, anyText, (timestamp, change, text) => {
        expectAgreement({ ...EXAMPLE_MESSAGE, timestamp });
        expectAgreement({ ...EXAMPLE_MESSAGE, timestamp: edited(timestamp, change) });
        expectAgreement({ ...EXAMPLE_MESSAGE, timestamp: text });
      }),
      runs(2000),
    );
    const days = [
      '2023-02-29',
      '2024-02-30',
      '2100-02-29',
      '2000-02-29',
      '2026-04-31',
      '2026-13-01',
      '2026-00-10',
      '0000-01-01',
    ];
    const clocks = ['24:00:00.000', '23:59:60.000', '10:60:00.000', '10:00:00.00', '10:00:00'];
    for (const day of days) expectAgreement({ ...EXAMPLE_MESSAGE, timestamp: `${day}T10:00:00.000Z` });
    for (const clock of clocks) expectAgreement({ ...EXAMPLE_MESSAGE, timestamp: `2026-11-20T${clock}Z` });
  });
});
