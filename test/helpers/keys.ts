import { generateKeyPairSync, randomUUID } from 'node:crypto';

/** An RSA key pair as an organisation holds it. */
export interface AgentKeys {
  /** PKCS#8. */
  privateKeyPem: string;
  /** SPKI. */
  publicKeyPem: string;
}

/** What everybody may know of an agent. */
export interface PublicIdentity {
  id: string;
  name: string;
  publicKeyPem: string;
}

/** One organisation's agent: its number, its name and its keys. */
export interface AgentIdentity extends PublicIdentity {
  privateKeyPem: string;
}

/** An agent as the server's lists carry it. */
export interface AgentRecord {
  id: string;
  name: string;
  authenticationCertificate: string;
  createdAt: string;
  updatedAt: string;
}

/** A 2048-bit pair takes a tenth of a second and more, so a process makes this many and then hands them out again. */
const POOL_SIZE = 16;
const pool: AgentKeys[] = [];
let handedOut = 0;

/** A fresh key pair, made at run time; the 17th call in one process gets the first pair again. */
export function makeAgentKeys(): AgentKeys {
  const index = handedOut++ % POOL_SIZE;
  return (pool[index] ??= generateAgentKeys());
}

/** An agent nobody has seen before, with keys of its own. */
export function makeIdentity(name: string): AgentIdentity {
  return { id: randomUUID(), name, ...makeAgentKeys() };
}

/** The entry of the server's lists that makes this agent known. */
export function toAgentRecord(agent: PublicIdentity): AgentRecord {
  const since = '2026-11-20T10:00:00.000Z';
  return {
    id: agent.id,
    name: agent.name,
    authenticationCertificate: agent.publicKeyPem,
    createdAt: since,
    updatedAt: since,
  };
}

function generateAgentKeys(): AgentKeys {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return { privateKeyPem: privateKey, publicKeyPem: publicKey };
}
