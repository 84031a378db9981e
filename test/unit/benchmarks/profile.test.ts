import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { readProfile } from '../../../benchmarks/lib/profile';
import { temporaryFolder } from '../../helpers/temporary-folder';

const frame = (functionName: string, url = '', lineNumber = 0) => ({ functionName, url, lineNumber });

it('a profile is read as shares of the time that was not idle, by function and by package', () => {
  const nodes = [
    { id: 1, callFrame: frame('(root)') },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('send', 'file:///x/node_modules/@scope/ws/lib/a.js', 9) },
    { id: 4, callFrame: frame('', 'file:///x/dist/lib/router/deliver.js', 1) },
    { id: 5, callFrame: frame('(garbage collector)') },
    { id: 6, callFrame: frame('emit', 'node:events', 4) },
  ];
  const file = path.join(temporaryFolder(), 'some.cpuprofile');
  const samples = [1, 2, 3, 4, 5, 3, 6];
  writeFileSync(file, JSON.stringify({ nodes, samples, timeDeltas: [10, 5000, 300, 200, 100, 300, 100] }));
  const { busyMs, functions, packages } = readProfile(file);
  expect(busyMs).toBe(1);
  expect(packages).toEqual([
    { name: '@scope/ws', self: 0.6 },
    { name: 'lib/router', self: 0.2 },
    { name: '(native)', self: 0.1 },
    { name: 'node:events', self: 0.1 },
  ]);
  expect(functions[0]).toEqual({ name: 'send @scope/ws a.js:10', self: 0.6 });
  expect(functions[1]?.name).toBe('(anonymous) lib/router deliver.js:2');
});
