import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import path from 'node:path';
import { promisify } from 'node:util';
import type { AmqpAccess } from '../lib/broker/types';
import { chatbotServer } from './chatbot';
import { UsageError } from './options';

/** Somebody's own mesh: its agents post to the drill instead of to their chatbots. */
export interface Staging {
  agents: {
    /** UUID at CentOps. */
    id: string;
    /** Base URL of the agent's REST interface. */
    url: string;
    /** Where the drill listens as this agent's chatbot: `host:port` of OUTGOING_MESSAGE_ENDPOINT. */
    listen: string;
  }[];
  /** To look into the dead-letter queues; without it what lies there counts as lost. */
  amqp?: AmqpAccess;
}

/** Reads the description. @throws {UsageError} when it is none */
export function readStaging(file: string): Staging {
  try {
    const staging = JSON.parse(readFileSync(file, 'utf8')) as Staging;
    const whole = staging.agents.length > 1 && staging.agents.every(({ id, url, listen }) => id && url && listen);
    if (whole) return staging;
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  throw new UsageError(`${file} wants {"agents": [{"id", "url", "listen"}, …]} with two agents or more`);
}

/** Listens as the chatbots of these agents; resolves to their journals and how to end it. */
export async function listenAsChatbots({ agents }: Staging, dir: string) {
  const servers: Server[] = [];
  const journals: string[] = [];
  for (const { id, listen } of agents) {
    const at = listen.lastIndexOf(':');
    const journal = path.join(dir, `journal-${id}.jsonl`);
    const server = chatbotServer(journal).listen(Number(listen.slice(at + 1)), listen.slice(0, at));
    await once(server, 'listening');
    servers.push(server);
    journals.push(journal);
  }
  const stop = () => servers.forEach((server) => void (server.close(), server.closeAllConnections()));
  return { journals, stop };
}

/** Runs an operator's own fault. */
export async function runCommand(command: string): Promise<void> {
  await promisify(execFile)('/bin/sh', ['-c', command]);
}
