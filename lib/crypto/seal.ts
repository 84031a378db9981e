import type { KeyObject } from 'node:crypto';
import { encryptCompact } from './jwe';
import { signCompact } from './jws';
import { slices } from './slices';

/** What binds a seal to its envelope; deployed receivers ignore these claims. */
export interface Binding {
  messageId: string;
  senderId: string;
  recipientId: string;
}

/**
 * Seals a payload for one recipient: signed by the sender (compact JWS, RS256), then encrypted (compact JWE,
 * RSA-OAEP and A256GCM). Claims: `data`, and `iss`, `aud`, `jti`, `iat` that bind it to its envelope (RFC 7519, 4.1).
 */
export async function seal(payload: unknown, binding: Binding, senderKey: KeyObject, recipientKey: KeyObject) {
  const claims = {
    data: payload,
    iss: binding.senderId,
    aud: binding.recipientId,
    jti: binding.messageId,
    iat: Math.floor(Date.now() / 1000),
  };
  return slices.run(() => encryptCompact(signCompact(JSON.stringify(claims), senderKey), recipientKey));
}
