import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Where the rules lie, as a Prometheus loads them. */
export const ALERTS_FOLDER = path.join(__dirname, '../../monitoring/alerts');

/** An alert as its file has it. */
export interface AlertRule {
  file: string;
  name: string;
  expr: string;
  severity: string | undefined;
  summary: string | undefined;
  description: string;
  runbookUrl: string | undefined;
  /** The queries in its description. */
  queries: string[];
}

/** A case of promtool: the labels of every alert that it expects, none when the alert must stay quiet. */
export interface AlertCase {
  name: string;
  alert: string;
  expected: string[];
}

const yamlIn = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.yml'));

/** Every alert of the project. Reads the form that our files have, not all of YAML: promtool judges that. */
export function alertRules(): AlertRule[] {
  return yamlIn(ALERTS_FOLDER).flatMap((file) => {
    const text = readFileSync(path.join(ALERTS_FOLDER, file), 'utf8');
    return text
      .split(/^ {6}- alert: /m)
      .slice(1)
      .map((rule) => ({ file, ...fieldsOf(rule) }));
  });
}

function fieldsOf(rule: string): Omit<AlertRule, 'file'> {
  const field = (name: string) => {
    const value = new RegExp(`^ +${name}: (?:>-\\n((?: {10}.*\\n)+)|(.*))$`, 'm').exec(rule);
    return (value?.[1] ?? value?.[2])?.replace(/\s+/g, ' ').trim();
  };
  const description = field('description') ?? '';
  return {
    name: rule.slice(0, rule.indexOf('\n')),
    expr: field('expr') ?? '',
    severity: field('severity'),
    summary: field('summary'),
    description,
    runbookUrl: field('runbook_url'),
    queries: [...description.matchAll(/query \(printf "(.*?)"/g)].map(([, query]) => query as string),
  };
}

/** Every case of promtool beside the rules. */
export function alertCases(): AlertCase[] {
  const folder = path.join(ALERTS_FOLDER, 'tests');
  return yamlIn(folder).flatMap((file) =>
    readFileSync(path.join(folder, file), 'utf8')
      .split(/^ {2}- name: /m)
      .slice(1)
      .map((text) => ({
        name: text.slice(0, text.indexOf('\n')),
        alert: /alertname="(\w+)"/.exec(text)?.[1] ?? '',
        expected: [...text.matchAll(/- labels: 'ALERTS\{(.*)\}'/g)].map(([, labels]) => labels as string),
      })),
  );
}
