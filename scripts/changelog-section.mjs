/** Prints what CHANGELOG.md says about one version: `node scripts/changelog-section.mjs 0.1.0`. Exit code 1 when that is nothing. */
import { readFileSync } from 'node:fs';

const version = process.argv[2] ?? '';
const changelog = readFileSync(new URL('../CHANGELOG.md', import.meta.url), 'utf8');
const sections = changelog.split(/^## /m).slice(1);
const section = sections.find((text) => /^\d/.test(version) && text.startsWith(`[${version}]`));
// Behind the last section stand the links of the versions.
const body = section
  ?.slice(section.indexOf('\n'))
  .replace(/^\[[^\]]+\]: .*$/gm, '')
  .trim();
if (body) console.log(body);
else {
  console.error(
    `CHANGELOG.md says nothing about ${version || 'no version'}: write a section "## [${version}] - <date>" first`,
  );
  process.exitCode = 1;
}
