import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { deriveKeys } from '../../helpers/derive-key';
import type { AgentKeys } from '../../helpers/keys';
import seals from '../../vectors/seals.json';
import type { AgentName, SealVector, SealVectors } from '../../vectors/seal-cases';

export const { agents, vectors } = seals as unknown as SealVectors;

export interface TestAgent extends AgentKeys {
  id: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
}

function agent(name: AgentName): TestAgent {
  const { id, seed } = agents[name];
  const keys = deriveKeys(seed);
  return {
    id,
    ...keys,
    privateKey: createPrivateKey(keys.privateKeyPem),
    publicKey: createPublicKey(keys.publicKeyPem),
  };
}

/** The agents of seals.json with both halves of their keys. */
export const testAgents: Record<AgentName, TestAgent> = {
  alpha: agent('alpha'),
  beta: agent('beta'),
  gamma: agent('gamma'),
};

/** The payload of a vector, at its full length. */
export function payloadOf({ jwe, lengthenCiphertext = 0 }: SealVector): string {
  const parts = jwe.split('.');
  return lengthenCiphertext ? parts.with(3, parts[3] + 'A'.repeat(lengthenCiphertext)).join('.') : jwe;
}

/** Whom the envelope of a vector names as its sender, if anybody has that id. */
export function senderOf({ envelope }: SealVector): TestAgent | undefined {
  return Object.values(testAgents).find(({ id }) => id === envelope.senderId);
}

/** The envelope of a vector in the words of lib/crypto. */
export function bindingOf({ envelope: { id, senderId, recipientId } }: SealVector) {
  return { messageId: id, senderId, recipientId };
}
