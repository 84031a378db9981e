import type { Arrival } from '../../../scripts/drill/chatbot';
import { Ledger } from '../../../scripts/drill/ledger';
import { table } from '../../../scripts/drill/table';

const arrival = (id: string, more: Partial<Arrival> = {}): Arrival => ({
  id,
  senderId: 'a',
  chatId: 'chat',
  place: 1,
  redelivered: false,
  mode: 'take',
  at: Date.now(),
  ...more,
});

function ledgerWith(...ids: string[]) {
  const ledger = new Ledger();
  for (const id of ids) ledger.accepted(ledger.posted(id, 'a', 'b', 'fault'));
  return ledger;
}

test('what was accepted and never arrived is lost', () => {
  const ledger = ledgerWith('one', 'two');
  ledger.arrived(arrival('one'));
  expect(ledger.sums('fault')).toMatchObject({ posted: 2, accepted: 2, delivered: 1, lost: 1, twice: 0 });
  expect(ledger.lost().map(({ id }) => id)).toEqual(['two']);
  expect(ledger.outstanding).toBe(1);
});

test('what was never accepted is not lost', () => {
  const ledger = new Ledger();
  ledger.posted('one', 'a', 'b', 'fault');
  expect(ledger.sums()).toMatchObject({ posted: 1, accepted: 0, lost: 0 });
});

test('what arrives before its sender is answered is delivered', () => {
  const ledger = new Ledger();
  const entry = ledger.posted('one', 'a', 'b', 'fault');
  ledger.arrived(arrival('one'));
  ledger.accepted(entry);
  expect(ledger.sums()).toMatchObject({ accepted: 1, delivered: 1, lost: 0 });
  expect(ledger.outstanding).toBe(0);
});

test('a second arrival counts as twice, unless the agent announced it as a repetition', () => {
  const ledger = ledgerWith('one', 'two');
  for (const id of ['one', 'one', 'two']) ledger.arrived(arrival(id));
  ledger.arrived(arrival('two', { redelivered: true }));
  expect(ledger.sums()).toMatchObject({ delivered: 2, twice: 1, repeated: 1 });
});

test('a chatbot that refuses or hangs has not taken anything', () => {
  const ledger = ledgerWith('one');
  ledger.arrived(arrival('one', { mode: 'fail' }));
  ledger.arrived(arrival('one', { mode: 'hang' }));
  expect(ledger.sums()).toMatchObject({ delivered: 0, lost: 1 });
  ledger.arrived(arrival('one', { redelivered: true }));
  expect(ledger.sums()).toMatchObject({ delivered: 1, lost: 0, twice: 0, repeated: 0 });
});

test('what lies in a queue of refuse is not lost and is told with its reason', () => {
  const ledger = ledgerWith('one', 'two');
  ledger.putAway('one', 'dead-letter: NO_ACK');
  ledger.arrived(arrival('two'));
  ledger.putAway('two', 'dead-letter: NO_ACK'); // delivered all the same
  const sums = ledger.sums();
  expect(sums.lost).toBe(0);
  expect([...sums.putAway]).toEqual([['dead-letter: NO_ACK', 1]]);
  expect(table([{ fault: 'fault', recoveryMs: 1500 }], ledger)).toContain('1 (dead-letter: NO_ACK)');
});

test('a message that arrives after a later one of its chat is out of order', () => {
  const ledger = ledgerWith('one', 'two', 'other');
  ledger.arrived(arrival('two', { place: 2 }));
  ledger.arrived(arrival('one', { place: 1 }));
  ledger.arrived(arrival('other', { place: 1, chatId: 'another chat' }));
  expect(ledger.sums().outOfOrder).toBe(1);
});

test('the mesh is through when every pair had a message through that was posted since', () => {
  const ledger = new Ledger();
  const since = Date.now();
  ledger.posted('one', 'a', 'b', 'fault');
  ledger.posted('two', 'b', 'a', 'fault');
  ledger.arrived(arrival('one', { at: since + 5 }));
  expect(ledger.throughSince('fault', since, 2)).toBeUndefined();
  ledger.arrived(arrival('two', { at: since + 9 }));
  expect(ledger.throughSince('fault', since, 2)).toBe(since + 9);
  expect(ledger.throughSince('fault', since + 60_000, 2)).toBeUndefined();
});
