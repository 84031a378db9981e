import { createPrivateKey } from 'node:crypto';
import { KeyRing } from '../../../lib/crypto/key-ring';
import { LoginKeys } from '../../../lib/uplink/login-keys';
import { makeAgentKeys } from '../../helpers/keys';

const [now, before] = [makeAgentKeys(), makeAgentKeys()];
const [A, B] = ['http://a', 'http://b'];

let listed: string | undefined;

function make(previous: string | undefined = before.privateKeyPem): LoginKeys {
  return new LoginKeys(new KeyRing(now.privateKeyPem, previous), () => listed);
}

beforeEach(() => (listed = undefined));

/** Which of the two keys comes next. */
function nextOf(keys: LoginKeys, url = A): string {
  return keys.next(url).equals(createPrivateKey(now.privateKeyPem)) ? 'current' : 'previous';
}

describe('the key of the next login', () => {
  it.each([
    ['unknown', undefined, 'current'],
    ['the new one', now.publicKeyPem, 'current'],
    ['the old one', before.publicKeyPem, 'previous'],
    ['neither', makeAgentKeys().publicKeyPem, 'current'],
  ])('is the fitting one when what is listed is %s', (_what, certificate, expected) => {
    listed = certificate;
    expect(nextOf(make())).toBe(expected);
  });

  it('is the other one after each refusal, until a login is taken', () => {
    listed = before.publicKeyPem;
    const keys = make();
    const order = [1, 2, 3].map(() => {
      const key = nextOf(keys);
      keys.refused(A);
      return key;
    });
    expect(order).toEqual(['previous', 'current', 'previous']);
    keys.accepted();
    expect(nextOf(keys)).toBe('previous');
    listed = now.publicKeyPem;
    expect(nextOf(keys)).toBe('current');
  });

  it('is not turned by the refusals of another server', () => {
    const keys = make();
    keys.refused(A);
    expect([nextOf(keys, A), nextOf(keys, B)]).toEqual(['previous', 'current']);
  });

  it('is the only one where there is one', () => {
    const keys = new LoginKeys(new KeyRing(now.privateKeyPem), () => before.publicKeyPem);
    keys.refused(A);
    expect(nextOf(keys)).toBe('current');
  });
});
