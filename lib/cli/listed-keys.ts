import { readFileSync } from 'node:fs';
import type { AgentRecord } from '../agents/agent-record';
import { readPage } from '../agents/centops-answer';
import { fetchAgents, type CentOpsList } from '../agents/centops-client';
import type { KeyCheckConfig } from '../config/types';
import { importPrivateKey } from '../crypto/keys';
import { messageOf, RetryableError } from '../errors';
import { UplinkClient } from '../uplink/uplink-client';

/** What is listed, from wherever it came; a server that refuses the login says nothing of the list. */
export type Listed =
  | { agents: AgentRecord[]; rejected: string[]; contradicted: string[] }
  | {
      /** The server's own words; undefined from a deployed server, which gives none. */
      refused: string | undefined;
    };

const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {}

/** The list in a file: an answer of CentOps in either shape, or the list as servers send it. Throws RetryableError LIST_UNREADABLE. */
export function listFromFile(path: string): Listed {
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return listOf(
      readPage(Array.isArray(content) ? { response: content.length === 1 ? content.flat() : content } : content),
    );
  } catch (cause) {
    const advice = 'it must hold the answer of CentOps, or the list of agents, as JSON';
    throw new RetryableError('LIST_UNREADABLE', `${path} cannot be used, ${advice}: ${messageOf(cause)}`, { cause });
  }
}

/** The list of CentOps itself, fetched as a server does; throws RetryableError as `fetchAgents`. */
export async function listFromCentOps(access: NonNullable<KeyCheckConfig['centOps']>): Promise<Listed> {
  return listOf(await fetchAgents(access));
}

function listOf({ agents, rejected, contradicted = [] }: CentOpsList): Listed {
  return { agents, rejected, contradicted };
}

/**
 * The list that a server hands to the agent at its login, at the first of the servers that answers. An agent that runs
 * under the same id loses its connection to this login, and comes back by itself. Throws RetryableError
 * SERVER_UNREACHABLE when no server let the agent in or refused it.
 */
export async function listFromServer({ agentId, privateKeyPem, uplink }: KeyCheckConfig): Promise<Listed> {
  if (!uplink) throw new TypeError('no server to ask');
  const key = importPrivateKey(privateKeyPem);
  const attempts = new LoginAttempts(uplink.urls);
  const keys = { next: () => key, refused: () => attempts.refused(), accepted: ignore };
  // Never answered: whatever should come in this moment is delivered to the agent itself.
  const client = new UplinkClient({ agentId, uplink }, keys, () => new Promise(ignore), SILENT);
  try {
    return await new Promise<Listed>((resolve, reject) => {
      const ended = (error?: Error) => {
        const result = attempts.ended(error);
        if (result instanceof RetryableError) reject(result);
        else if (result) resolve(result);
      };
      client.on('fullList', (agents) => resolve({ agents, rejected: [], contradicted: [] }));
      client.on('failed', ended);
      client.on('disconnected', () => ended());
      client.start();
    });
  } finally {
    await client.stop();
  }
}

/** The agent itself, when it runs, may take the place of a login before the list has come. */
const MAX_SILENT_REFUSALS = 3;

/** What attempts that ended without a list come to. */
class LoginAttempts {
  private refusedNow = false;
  private silentRefusals = 0;
  private failures = 0;

  constructor(private readonly urls: readonly string[]) {}

  /** The server ended the attempt that is about to be reported. */
  refused(): void {
    this.refusedNow = true;
  }

  /** What it comes to, RetryableError SERVER_UNREACHABLE among it; undefined when another attempt may tell more. */
  ended(error: Error | undefined): Listed | RetryableError | undefined {
    const refused = this.refusedNow;
    this.refusedNow = false;
    if (refused && error) return { refused: error.message };
    if (refused) return ++this.silentRefusals < MAX_SILENT_REFUSALS ? undefined : { refused: undefined };
    if (++this.failures >= this.urls.length * (1 + this.silentRefusals)) return unreachable(this.urls, error);
    return undefined;
  }
}

function unreachable(urls: readonly string[], cause: Error | undefined): RetryableError {
  const why = cause ? messageOf(cause) : 'it closed the connection';
  return new RetryableError('SERVER_UNREACHABLE', `${urls.join(', ')} cannot be reached: ${why}`, { cause });
}
