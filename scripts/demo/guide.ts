import { randomUUID } from 'node:crypto';
import path from 'node:path';
import type { ProvidedBroker } from '../lib/broker/types';
import type { DemoPlan, Organisation } from './plan';

/** What a person can do with the demo while it is up. `folder`: where it keeps its files, as that person would write it. */
export function guide(plan: DemoPlan, broker: ProvidedBroker, folder: string): string {
  const { taxOffice, police } = plan;
  const chatId = randomUUID();
  const envFile = path.join(folder, 'server.env');
  return `\
Look at it
${table([...nodeRows(plan), ...brokerRows(broker)])}
  logs of all processes: ${path.join(folder, '*.log')}
  sign in to RabbitMQ with the user and the password in ${envFile}

Ask the ${police.name} something as the chatbot of the ${taxOffice.name} would, as often as you like
${curl(taxOffice, police, chatId)}

See the answers
curl ${taxOffice.chatbotUrl}/conversations/${chatId}

Join the mesh with a REPL, then type: routes
npm run repl -- --envfile ${envFile}

Ctrl-C ends everything.`;
}

/** A shell makes the ids of the message: a second message under the same ones would be taken for a copy of the first. */
function curl({ agentUrl }: Organisation, { id: recipientId }: Organisation, chatId: string): string {
  const newId = "$(node -p 'crypto.randomUUID()')";
  const now = "$(node -p 'new Date().toISOString()')";
  const content = 'Where can I ask about my stolen bicycle?';
  const message = { id: newId, chatId, authorTimestamp: now, authorRole: 'end-user', content };
  const payload = { chat: { id: chatId, created: new Date().toISOString() }, messages: [message] };
  const body = { id: newId, recipientId, timestamp: now, type: 'ChatMessage', payload };
  return `\
curl -i ${agentUrl}/v1/messages -H 'content-type: application/json' -d @- <<EOF
${JSON.stringify(body, null, 2)}
EOF`;
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
