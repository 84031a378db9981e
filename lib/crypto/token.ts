import type { KeyObject } from 'node:crypto';
import { compactVerify, decodeProtectedHeader, SignJWT } from 'jose';
import { FinalError } from '../errors';
import { isCanonical } from './compact';

/** Why a login is refused, as the agent hears it: `dmr keys check` tells by these words what is wrong. */
export const NOT_LISTED = 'the agent is not listed by CentOps';
export const WRONG_SIGNATURE = "the signature does not fit the agent's key";

const LIFETIME_S = 60;
/** How far an agent's clock may run ahead of ours, s. */
const CLOCK_SKEW_S = 60;

/** The agent's token cannot be accepted; the message says why and is safe to send to it. */
export class TokenError extends FinalError {
  constructor(why: string, cause?: unknown) {
    super('TOKEN_REFUSED', `Token refused: ${why}`, { cause });
  }
}

/** A login token for one connection attempt: RS256, valid for 60 s, `kid` and `sub` are the agent's id. */
export async function makeToken(agentId: string, key: KeyObject): Promise<string> {
  const now = Date.now();
  const iat = Math.floor(now / 1000);
  return new SignJWT({ cat: now })
    .setProtectedHeader({ alg: 'RS256', kid: agentId })
    .setSubject(agentId)
    .setIssuedAt(iat)
    .setExpirationTime(iat + LIFETIME_S)
    .sign(key);
}

/**
 * The id of the agent that made this token, verified with its public key.
 * A token is good until its `iat` plus `maxAgeMs`, because deployed agents reuse the one of their start; signature,
 * `kid`, `sub`, a sane `iat` and the presence of `exp` are always required. Throws TokenError.
 */
export async function verifyToken(
  token: unknown,
  keyOf: (agentId: string) => KeyObject | undefined,
  maxAgeMs: number,
): Promise<string> {
  if (typeof token !== 'string' || token === '') throw new TokenError('there is none');
  const agentId = claimedAgent(token);
  const key = keyOf(agentId);
  if (!key) throw new TokenError(NOT_LISTED);
  const claims = await verifiedClaims(token, key);
  if (claims.sub !== agentId) throw new TokenError("'sub' is not the agent of 'kid'");
  if (typeof claims.exp !== 'number') throw new TokenError("'exp' is missing");
  checkAge(claims.iat, maxAgeMs);
  return agentId;
}

function claimedAgent(token: string): string {
  if (!isCanonical(token)) throw new TokenError('it is not a JWT');
  try {
    const { kid } = decodeProtectedHeader(token);
    if (typeof kid === 'string' && kid !== '') return kid;
  } catch (cause) {
    throw new TokenError('it is not a JWT', cause);
  }
  throw new TokenError("the header has no 'kid'");
}

async function verifiedClaims(token: string, key: KeyObject): Promise<Record<string, unknown>> {
  try {
    const { payload } = await compactVerify(token, key, { algorithms: ['RS256'] });
    const claims: unknown = JSON.parse(new TextDecoder().decode(payload));
    if (typeof claims === 'object' && claims !== null) return claims as Record<string, unknown>;
  } catch (cause) {
    throw new TokenError(WRONG_SIGNATURE, cause);
  }
  throw new TokenError('its claims are not an object');
}

function checkAge(iat: unknown, maxAgeMs: number): void {
  if (typeof iat !== 'number' || !Number.isFinite(iat)) throw new TokenError("'iat' is missing");
  const ageMs = Date.now() - iat * 1000;
  if (ageMs < -CLOCK_SKEW_S * 1000) throw new TokenError("'iat' lies in the future, check the agent's clock");
  if (ageMs > maxAgeMs) throw new TokenError('it is too old, make a new one for each connection');
}
