import { readFileSync } from 'fs';

/** Says whether this Node can run the project as package.json states it; complains in one line when not. */
export function nodeIsNewEnough(version = process.versions.node) {
  const manifest = new URL('../../package.json', import.meta.url);
  const wanted = JSON.parse(readFileSync(manifest, 'utf8')).engines.node.replace('>=', '');
  if (compare(version, wanted) >= 0) return true;
  console.error(`DMR needs Node.js ${wanted} or newer; this is ${version}. See https://nodejs.org/en/download`);
  return false;
}

function compare(left, right) {
  const [a, b] = [left, right].map((version) => version.split('.').map(Number));
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
