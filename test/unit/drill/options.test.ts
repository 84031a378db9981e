import { FAULT_NAMES } from '../../../scripts/drill/faults';
import { readOptions, UsageError } from '../../../scripts/drill/options';

test('without options it is the full drill', () => {
  expect(readOptions([])).toMatchObject({ messages: 100_000, brokers: 3, faults: FAULT_NAMES, staging: undefined });
});

test('the short form has one broker, and what is named wins over it', () => {
  expect(readOptions(['--short', '--messages', '50', '--seed', '7'])).toMatchObject({
    messages: 50,
    brokers: 1,
    seed: 7,
    faults: FAULT_NAMES,
  });
});

test('faults are taken in the order in which they are named', () => {
  expect(readOptions(['--fault', 'server-kill,none']).faults).toEqual(['server-kill', 'none']);
});

test('a fault of one’s own is a name and a command that may hold an equals sign', () => {
  const { commands } = readOptions(['--exec', 'pod=kubectl delete pod -l app=dmr']);
  expect(commands).toEqual([{ name: 'pod', command: 'kubectl delete pod -l app=dmr' }]);
});

test.each([
  ['--fault', 'earthquake'],
  ['--messages', '0'],
  ['--rate', 'fast'],
  ['--brokers', '2'],
  ['--exec', 'no command'],
  ['--nonsense', ''],
])('%s %s is refused with what it wants', (option, value) => {
  expect(() => readOptions([option, value])).toThrow(UsageError);
});
