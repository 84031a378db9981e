import { readFileSync } from 'node:fs';
import path from 'node:path';
import { agentMetrics, serverMetrics, type Definitions } from '../../../lib/telemetry/definitions';
import { alertCases, alertRules } from '../../helpers/alert-rules';
import { selectorsOf } from '../../helpers/promql';
import { unknownIn } from './definitions';

const rules = alertRules();
const names = rules.map(({ name }) => name);
const runbook = readFileSync(path.join(__dirname, '../../../docs/operations.md'), 'utf8');
const chapter = runbook.slice(runbook.indexOf('\n## Alerts\n'));

/** What operators of the deployed DMR were advised to set. */
const DEPLOYED = [
  'DMRHighDisconnectionRate',
  'DMRServerSocketsDown',
  'DMRServerMessageRoutingLatencyHigh',
  'MultipleSocketConnections',
  'SocketDisconnected',
  'HighApiLatency',
  'TooManyHttpErrors',
  'RabbitMQHighReadyMessages',
  'RabbitMQUnauthorizedAcks',
  'RabbitMQNodeDown',
  'RabbitMQMemoryHigh',
  'RabbitMQDiskLow',
];

const METRICS_OF: Record<string, Definitions> = {
  'server.yml': serverMetrics,
  'messages.yml': serverMetrics,
  'agent.yml': agentMetrics,
  'rabbitmq.yml': {},
};

describe('the alerts', () => {
  it('keep the names that operators know, and have each name once', () => {
    expect(names).toEqual(expect.arrayContaining(DEPLOYED));
    expect([...new Set(names)]).toEqual(names);
  });

  it.each(rules)('$name says how bad it is, what it is, and what to do', (rule) => {
    expect(['info', 'warning', 'critical']).toContain(rule.severity);
    expect(rule.summary).toMatch(/^[A-Z]/);
    expect(rule.description).toMatch(/\w/);
    expect(rule.runbookUrl).toBe(`docs/operations.md#${rule.name.toLowerCase()}`);
  });

  it.each(rules)('$name asks for metrics and labels that its node has', ({ file, expr, queries }) => {
    const selectors = [expr, ...queries].flatMap(selectorsOf);
    expect(unknownIn(selectors, METRICS_OF[file] ?? {})).toEqual([]);
  });

  it.each(rules)('$name has a case in which it fires and one in which it must not', ({ name }) => {
    const cases = alertCases().filter(({ alert }) => alert === name);
    expect(cases.map((one) => one.name)).toEqual([`${name} fires`, `${name} stays quiet`]);
    expect(cases.map(({ expected }) => expected.length > 0)).toEqual([true, false]);
  });

  it.each(rules)('$name names in its description only labels that it has when it fires', ({ name, description }) => {
    const fired = alertCases().find(({ alert, expected }) => alert === name && expected.length > 0)?.expected[0] ?? '';
    const used = [...description.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label as string);
    expect(used.filter((label) => label !== '__name__' && !fired.includes(`${label}="`))).toEqual([]);
  });
});

describe('the runbook', () => {
  it('has a section for every alert and no other', () => {
    const sections = [...chapter.matchAll(/^### (.*)$/gm)].map(([, title]) => title as string);
    expect([...sections].sort()).toEqual([...names].sort());
  });

  it.each(names)('says of %s what it means, how to look, what to do and when it is over', (name) => {
    const [, section = ''] = new RegExp(`^### ${name}\\n((?:(?!^##).*\\n)*)`, 'm').exec(chapter) ?? [];
    for (const part of ['Means', 'Look', 'Do', 'Over']) expect(section).toContain(`- **${part}:** `);
  });
});
