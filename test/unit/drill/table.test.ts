import { passed } from '../../../scripts/drill/table';

const back = { fault: 'a', recoveryMs: 900 };

it.each([
  ['nothing was lost, nothing came twice and all came back', [back], 0, 0, true],
  ['a message was lost', [back], 1, 0, false],
  ['a message came twice', [back], 0, 1, false],
  ['the mesh did not come back after a fault', [back, { fault: 'b', recoveryMs: undefined }], 0, 0, false],
])('a drill in which %s', (_what, rows, lost, twice, verdict) => {
  expect(passed(rows, { lost, twice })).toBe(verdict);
});
