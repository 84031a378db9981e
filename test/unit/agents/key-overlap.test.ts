import { AgentDirectory } from '../../../lib/agents/directory';
import { importPublicKey } from '../../../lib/crypto/keys';
import { makeAgentKeys, makeIdentity, toAgentRecord } from '../../helpers/keys';

const OVERLAP_MS = 600_000;
const alpha = toAgentRecord(makeIdentity('alpha'));
const [second, third] = [1, 2].map(() => makeAgentKeys().publicKeyPem) as [string, string];
const withKey = (authenticationCertificate: string) => ({ ...alpha, authenticationCertificate });

let directory: AgentDirectory;

beforeEach(() => {
  jest.useFakeTimers();
  directory = new AgentDirectory(OVERLAP_MS);
  directory.replace([alpha]);
});
afterEach(() => void jest.useRealTimers());

const keys = () => directory.keysOf(alpha.id).map((key) => key.export({ type: 'spki', format: 'pem' }));
const pem = (text: string) => importPublicKey(text).export({ type: 'spki', format: 'pem' });
const first = alpha.authenticationCertificate;

it('an agent has the key that is listed, and a stranger none', () => {
  expect(keys()).toEqual([pem(first)]);
  expect(directory.keysOf(makeIdentity('stranger').id)).toEqual([]);
});

it.each([
  ['the whole list', () => directory.replace([withKey(second)])],
  ['a partial list', () => directory.patch([withKey(second)])],
])('a key changed by %s counts beside the new one for the overlap and not longer', (_title, change) => {
  change();
  expect(keys()).toEqual([pem(second), pem(first)]);
  jest.advanceTimersByTime(OVERLAP_MS - 1);
  expect(keys()).toHaveLength(2);
  jest.advanceTimersByTime(1);
  expect(keys()).toEqual([pem(second)]);
});

it('lists without a change of the key neither prolong nor end it', () => {
  directory.replace([withKey(second)]);
  jest.advanceTimersByTime(OVERLAP_MS / 2);
  directory.replace([{ ...withKey(second), name: 'renamed' }]);
  expect(keys()).toEqual([pem(second), pem(first)]);
  jest.advanceTimersByTime(OVERLAP_MS / 2);
  expect(keys()).toEqual([pem(second)]);
});

it('of two changes the last is remembered', () => {
  directory.replace([withKey(second)]);
  directory.replace([withKey(third)]);
  expect(keys()).toEqual([pem(third), pem(second)]);
});

it('a key that was none is not remembered, and does not keep the new one from counting', () => {
  directory.replace([withKey('none')]);
  directory.replace([withKey(second)]);
  expect(keys()).toEqual([pem(second), pem(first)]);
});

it('who left has no key any more, not even when it comes back', () => {
  directory.replace([withKey(second)]);
  directory.replace([]);
  expect(keys()).toEqual([]);
  directory.replace([withKey(third)]);
  expect(keys()).toEqual([pem(third)]);
});

it('with an overlap of 0, as at the server, only the listed key counts', () => {
  directory = new AgentDirectory();
  directory.replace([alpha]);
  directory.replace([withKey(second)]);
  expect(keys()).toEqual([pem(second)]);
});
