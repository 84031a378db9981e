import path from 'node:path';
import type { ProvidedBroker } from '../lib/broker/types';
import type { DemoPlan, Organisation } from './plan';
import { questionTo } from './question';

/** What a person can do with the demo while it is up. */
export function guide(plan: DemoPlan, broker: ProvidedBroker, folder: string): string {
  const { taxOffice, police } = plan;
  const question = questionTo(police, 'Where can I ask about my stolen bicycle?');
  const envFile = path.join(folder, 'server.env');
  return `\
Look at it
${table([...nodeRows(plan), ...brokerRows(broker)])}
  logs of all processes: ${path.join(folder, '*.log')}
  sign in to RabbitMQ with the user and the password in ${envFile}

Ask the ${police.name} something as the chatbot of the ${taxOffice.name} would (an id is good for one message)
${curl(taxOffice, question)}

See the answer
  curl ${taxOffice.chatbotUrl}/conversations/${question.payload.chat.id}

Join the mesh with a REPL, then type: routes
  npm run repl -- --envfile ${envFile}

Ctrl-C ends everything.`;
}

function curl({ agentUrl }: Organisation, message: object): string {
  return `  curl -i ${agentUrl}/v1/messages \\
    -H 'Content-Type: application/json' \\
    -d '${JSON.stringify(message, null, 2).replaceAll('\n', '\n    ')}'`;
}

function nodeRows({ serverUrl, taxOffice, police }: DemoPlan): string[][] {
  const row = (title: string, url: string) => [title, `${url}/v1/health`, `${url}/metrics`];
  const agentRow = ({ name, agentUrl }: Organisation) => row(`${name} agent`, agentUrl);
  return [row('server', serverUrl), agentRow(taxOffice), agentRow(police)];
}

function brokerRows({ host, managementUrl, prometheusPort }: ProvidedBroker): string[][] {
  if (!managementUrl) return [];
  return [['RabbitMQ', managementUrl, prometheusPort ? `http://${host}:${prometheusPort}/metrics` : '']];
}

function table(rows: string[][]): string {
  const widthOf = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows.map((row) => `  ${row.map((cell, i) => cell.padEnd(widthOf(i))).join('  ')}`.trimEnd()).join('\n');
}
