import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { CONTRADICTIONS } from '../lib/config/contradictions';
import { fileVariable } from '../lib/config/from-file';
import type { Variable, Variables } from '../lib/config/variable';
import { VARIABLES, type VariableRole } from '../lib/config/variables';

const ROOT = resolve(__dirname, '..');

const SECTIONS: readonly { role: VariableRole; title: string }[] = [
  { role: 'process', title: 'Every process' },
  { role: 'server', title: 'Server' },
  { role: 'agent', title: 'Agent' },
  { role: 'centops', title: 'Stand-in of CentOps' },
  { role: 'chatbot', title: 'Stand-in of a chatbot' },
];

const INTRODUCTION = `# Configuration

Everything is configured by environment variables, read once when a process starts. An empty variable counts as
missing. A missing, wrong or contradictory variable ends the start with one line that names it, and exit code 78
(EX_CONFIG). The values of secrets never appear in that line.

Secrets may be given as files, as Docker and Kubernetes hand them out: where the table says so, \`NAME_FILE\` is the path of
a file that holds the value of \`NAME\`, read once as well. Both at the same time are a contradiction. The line break that ends
the file is no part of the value, and an empty file ends the start.

This file and the two \`.env.example\` are made from the table in \`lib/config\` by \`npx tsx scripts/make-config-docs.ts\`.
The REPL joins the mesh with the logger's and RabbitMQ's variables of the server alone.
`;

/** Every generated file by its path from the root of the project. */
export function configDocs(): Record<string, string> {
  return {
    'services/server/.env.example': envExample(VARIABLES.server),
    'services/agent/.env.example': envExample(VARIABLES.agent),
    'docs/configuration.md': [INTRODUCTION, ...SECTIONS.map(section)].join('\n'),
  };
}

function envExample(variables: Variables): string {
  return Object.entries(variables).map(envEntry).join('\n');
}

function envEntry([name, variable]: [string, Variable]): string {
  const mark = variable.required ? '' : '# ';
  const status = variable.required ? 'Required: ' : 'Wants ';
  const byFile = fileVariable(name, variable);
  const instead = byFile ? `# Or ${byFile}: the path of a file that holds it.\n` : '';
  return `# ${variable.doc}\n# ${status}${variable.rule.wants}.\n${instead}${mark}${name}=${variable.default ?? variable.example ?? ''}\n`;
}

function section({ role, title }: { role: VariableRole; title: string }): string {
  const rows = Object.entries<Variable>(VARIABLES[role]).map(tableRow);
  const table = alignedTable([['variable', 'meaning', 'default', 'wants'], ...rows]);
  const contradictions = (CONTRADICTIONS[role] ?? []).map(({ variable, wants }) => `- ${variable} wants ${wants}.\n`);
  const list = contradictions.length ? `\nTogether:\n\n${contradictions.join('')}` : '';
  return `## ${title}\n\n${table}${list}`;
}

function tableRow([name, variable]: [string, Variable]): string[] {
  const fallback = variable.default ? `\`${variable.default}\`` : variable.required ? 'required' : 'none';
  const byFile = fileVariable(name, variable);
  const notes = [fallback, ...(variable.secret ? ['secret'] : []), ...(byFile ? [`or ${byFile}`] : [])];
  return [name, variable.doc, notes.join(', '), variable.rule.wants];
}

/** Aligned as prettier aligns it, so that a format check leaves the file alone. */
function alignedTable([head = [], ...rows]: string[][]): string {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (cells: string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`;
  return [head, widths.map((width) => '-'.repeat(width)), ...rows].map(line).join('');
}

if (require.main === module) {
  for (const [path, text] of Object.entries(configDocs())) writeFileSync(resolve(ROOT, path), text);
}
