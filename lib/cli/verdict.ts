import type { KeyObject } from 'node:crypto';
import { createPublicKey } from 'node:crypto';
import { importPublicKey } from '../crypto/keys';
import { fingerprintOf } from '../crypto/key-pair';
import { NOT_LISTED, WRONG_SIGNATURE } from '../crypto/token';
import { messageOf, RetryableError } from '../errors';
import { EXIT } from './exit-codes';
import type { Listed } from './listed-keys';

/** What a check of an agent's key comes to, with what it needs to be told. */
export interface Verdict {
  outcome: 'FITS' | 'DOES_NOT_FIT' | 'NOT_LISTED' | 'LISTED_KEY_UNUSABLE' | 'REFUSED';
  exitCode: typeof EXIT.ok | typeof EXIT.doesNotFit | typeof EXIT.notListed | typeof EXIT.listedKeyUnusable;
  /** Who must do what. */
  message: string;
  /** Of the listed key, where one is known. */
  listedFingerprint?: string;
}

/**
 * Whether the agent's own key is the one that is listed under its id. Throws RetryableError LOGIN_REFUSED when a server
 * refused the login for a reason that says nothing about the key.
 */
export function verdictOf(agentId: string, own: KeyObject, listed: Listed): Verdict {
  if ('refused' in listed) return ofRefusal(agentId, listed.refused);
  const entries = listed.agents.filter(({ id }) => id.toLowerCase() === agentId.toLowerCase());
  const keys = new Set(entries.map((entry) => entry.authenticationCertificate));
  if (keys.size > 1 || listed.contradicted.some((id) => id.toLowerCase() === agentId.toLowerCase())) {
    return unusable(agentId, 'it is listed more than once, with different contents');
  }
  const entry = entries.find(({ id }) => id === agentId) ?? entries[0];
  if (!entry) return absent(agentId, listed.rejected);
  if (entry.id !== agentId) return otherSpelling(agentId, entry.id);
  return compared(agentId, own, entry.authenticationCertificate, entry.name);
}

function compared(agentId: string, own: KeyObject, certificate: string, name: string): Verdict {
  let key: KeyObject;
  try {
    key = importPublicKey(certificate);
  } catch (error) {
    return unusable(agentId, messageOf(error));
  }
  const listedFingerprint = fingerprintOf(key);
  if (!createPublicKey(own).equals(key)) return { ...doesNotFit(agentId), listedFingerprint };
  const message = `The private key fits the public key that is listed for agent ${agentId} (${JSON.stringify(name)}).`;
  return { outcome: 'FITS', exitCode: EXIT.ok, message, listedFingerprint };
}

function doesNotFit(agentId: string): Verdict {
  const message =
    `The private key does not fit the public key that is listed for agent ${agentId}. ` +
    'Give the agent the private key that belongs to the listed one, or have CentOps list the public key below.';
  return { outcome: 'DOES_NOT_FIT', exitCode: EXIT.doesNotFit, message };
}

function absent(agentId: string, rejected: readonly string[]): Verdict {
  const problem = rejected.find((text) => text.toLowerCase().includes(agentId.toLowerCase()));
  if (problem !== undefined) return unusable(agentId, problem);
  const message =
    `No agent ${agentId} is listed. Correct AGENT_ID, or have CentOps add the agent with the public key below; ` +
    'servers take a change of the list up by themselves, within half an hour by default.';
  return { outcome: 'NOT_LISTED', exitCode: EXIT.notListed, message };
}

function otherSpelling(agentId: string, listedId: string): Verdict {
  const message = `Agent ${agentId} is listed as ${listedId}: write AGENT_ID as it is listed, letter by letter.`;
  return { outcome: 'NOT_LISTED', exitCode: EXIT.notListed, message };
}

function unusable(agentId: string, why: string): Verdict {
  const message = `Agent ${agentId} is listed without a usable key; CentOps must list the public key below: ${why}`;
  return { outcome: 'LISTED_KEY_UNUSABLE', exitCode: EXIT.listedKeyUnusable, message };
}

function ofRefusal(agentId: string, why: string | undefined): Verdict {
  if (why === undefined) {
    const message =
      `The server ended the login of agent ${agentId} and gave no reason. Either the private key does not fit the ` +
      'listed one, or the agent is not listed: compare id and public key below with what CentOps has.';
    return { outcome: 'REFUSED', exitCode: EXIT.doesNotFit, message };
  }
  if (why.includes(WRONG_SIGNATURE)) return doesNotFit(agentId);
  if (why.includes(NOT_LISTED)) return absent(agentId, []);
  throw new RetryableError('LOGIN_REFUSED', `the server refused the login for another reason than the key: ${why}`);
}
