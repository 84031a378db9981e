import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { temporaryFolder } from '../../helpers/temporary-folder';

const LIB = path.join(__dirname, '../../../scripts/lib');

/** What `expression` prints; `imported` is the module, which jest cannot load itself. */
function evaluate(file: string, expression: string): string {
  const url = pathToFileURL(path.join(LIB, file)).href;
  const source = `import * as imported from ${JSON.stringify(url)}; console.log(${expression});`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', source], { stdio: 'pipe' }).toString().trim();
}

describe('nodeIsNewEnough', () => {
  it.each([
    ['20.18.9', 'false'],
    ['20.19.0', 'true'],
    ['20.20.0', 'true'],
    ['22.0.0', 'true'],
    ['9.99.99', 'false'],
  ])('%s: %s', (version, answer) => {
    expect(evaluate('node-version.mjs', `imported.nodeIsNewEnough('${version}')`)).toBe(answer);
  });
});

describe('packagesInStep', () => {
  const wanted = {
    '': { version: '1.0.0' },
    'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
    'node_modules/other-system': { version: '1.0.0', integrity: 'sha512-o', optional: true },
  };
  const installed = { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' } };

  function inStep(noted?: Record<string, object> | string): string {
    const root = temporaryFolder();
    mkdirSync(path.join(root, 'node_modules'));
    writeFileSync(path.join(root, 'package-lock.json'), JSON.stringify({ packages: wanted }));
    const text = typeof noted === 'string' ? noted : JSON.stringify({ packages: noted });
    if (noted) writeFileSync(path.join(root, 'node_modules/.package-lock.json'), text);
    return evaluate('packages.mjs', `imported.packagesInStep(${JSON.stringify(root)})`);
  }

  it('needs no package of another system', () => {
    expect(inStep(installed)).toBe('true');
  });

  it.each([
    ['nothing is installed', undefined],
    ['the note is broken', '{"packages": {'],
    ['a package is missing', {}],
    ['a package is of another version', { 'node_modules/a': { version: '1.0.1', integrity: 'sha512-a' } }],
    ['a package has another content', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-b' } }],
    ['a package is no longer wanted', { ...installed, 'node_modules/b': { version: '1.0.0' } }],
  ])('is not when %s', (_name, noted) => {
    expect(inStep(noted)).toBe('false');
  });
});
