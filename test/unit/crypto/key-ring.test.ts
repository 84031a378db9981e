import { KeyRing } from '../../../lib/crypto/key-ring';
import { open } from '../../../lib/crypto/open';
import { importPublicKey } from '../../../lib/crypto/keys';
import { seal } from '../../../lib/crypto/seal';
import { makeAgentKeys } from '../../helpers/keys';
import { CERTIFICATE } from '../config/environments';

const [now, before, sender, oldSender] = [1, 2, 3, 4].map(() => makeAgentKeys()) as [
  ReturnType<typeof makeAgentKeys>,
  ReturnType<typeof makeAgentKeys>,
  ReturnType<typeof makeAgentKeys>,
  ReturnType<typeof makeAgentKeys>,
];
const binding = { messageId: 'm', senderId: 's', recipientId: 'r' };
const ring = new KeyRing(now.privateKeyPem, before.privateKeyPem);

const sealedFor = ({ publicKeyPem }: typeof now, by = sender) =>
  seal('content', binding, new KeyRing(by.privateKeyPem).current, importPublicKey(publicKeyPem));

describe('KeyRing', () => {
  it('opens what was sealed for the key before, and for nothing else', async () => {
    const verify = [importPublicKey(sender.publicKeyPem)];
    for (const keys of [now, before]) {
      await expect(open(await sealedFor(keys), binding, 'require', ring.opening, verify)).resolves.toBe('content');
    }
    const alone = new KeyRing(now.privateKeyPem);
    const failed = { code: 'DECRYPTION_FAILED' };
    await expect(open(await sealedFor(before), binding, 'require', alone.opening, verify)).rejects.toMatchObject(
      failed,
    );
    await expect(open(await sealedFor(sender), binding, 'require', ring.opening, verify)).rejects.toMatchObject(failed);
  });

  it('signs with the key whose public half is listed, in whichever form, else with the current one', () => {
    const [current, previous] = ring.opening;
    expect(ring.signingKeyFor(now.publicKeyPem)).toBe(current);
    expect(ring.signingKeyFor(before.publicKeyPem)).toBe(previous);
    expect(ring.signingKeyFor(before.publicKeyPem.replaceAll('\n', '\\n'))).toBe(previous);
    for (const other of [undefined, sender.publicKeyPem, CERTIFICATE, 'none', now.publicKeyPem]) {
      expect(ring.signingKeyFor(other)).toBe(current);
    }
    const alone = new KeyRing(now.privateKeyPem);
    expect(alone.signingKeyFor(before.publicKeyPem)).toBe(alone.current);
  });

  it('says which of its keys is listed', () => {
    expect(ring.nameOf(now.publicKeyPem)).toBe('current');
    expect(ring.nameOf(before.publicKeyPem)).toBe('previous');
    for (const other of [undefined, sender.publicKeyPem, CERTIFICATE, 'none']) expect(ring.nameOf(other)).toBe('none');
    expect(ring.nameOf(now.publicKeyPem)).toBe('current');
    const alone = new KeyRing(now.privateKeyPem);
    expect([now, before].map(({ publicKeyPem }) => alone.nameOf(publicKeyPem))).toEqual(['current', 'none']);
  });

  it('refuses a key that is none', () => {
    expect(() => new KeyRing(now.privateKeyPem, 'none')).toThrow(
      expect.objectContaining({ code: 'KEY_INVALID' }) as Error,
    );
  });
});

describe('a sender who changed its key', () => {
  it('is believed by either key that is given, the first of which tells why when none fits', async () => {
    const keys = [sender, oldSender].map(({ publicKeyPem }) => importPublicKey(publicKeyPem));
    await expect(open(await sealedFor(now, oldSender), binding, 'require', ring.opening, keys)).resolves.toBe(
      'content',
    );
    await expect(open(await sealedFor(now, before), binding, 'require', ring.opening, keys)).rejects.toMatchObject({
      code: 'SIGNATURE_VALIDATION_FAILED',
    });
  });
});
