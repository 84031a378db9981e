import { createPublicKey } from 'node:crypto';
import type { AgentRecord } from '../../../lib/agents/agent-record';
import { AgentDirectory, diffAgents, isEmptyDiff } from '../../../lib/agents/directory';
import { makeAgentKeys, makeIdentity, toAgentRecord } from '../../helpers/keys';

const [alpha, beta, gamma] = ['alpha', 'beta', 'gamma'].map((name) => toAgentRecord(makeIdentity(name))) as [
  AgentRecord,
  AgentRecord,
  AgentRecord,
];
const otherKey = makeAgentKeys().publicKeyPem;
const rekeyed = { ...alpha, authenticationCertificate: otherKey };
const renamed = { ...alpha, name: 'renamed' };

const byId = (...agents: AgentRecord[]) => new Map(agents.map((agent) => [agent.id, agent]));
const none = { added: [], changed: [], rekeyed: [], removed: [] };

describe('diffAgents', () => {
  it('finds nothing between equal lists, whatever their order', () => {
    const diff = diffAgents(byId(alpha, beta), [{ ...beta }, { ...alpha }]);
    expect(diff).toEqual(none);
    expect(isEmptyDiff(diff)).toBe(true);
  });

  it('finds who came and who left', () => {
    const diff = diffAgents(byId(alpha, beta), [beta, gamma]);
    expect(diff).toEqual({ ...none, added: [gamma], removed: [alpha] });
    expect(isEmptyDiff(diff)).toBe(false);
  });

  it('finds a new key, as a change and as a new key', () => {
    expect(diffAgents(byId(alpha), [rekeyed])).toEqual({ ...none, changed: [rekeyed], rekeyed: [rekeyed] });
  });

  it.each(['name', 'createdAt', 'updatedAt'] as const)('takes another %s for a change, not for a new key', (field) => {
    const now = { ...alpha, [field]: 'another' };
    const diff = diffAgents(byId(alpha), [now]);
    expect(diff).toEqual({ ...none, changed: [now] });
    expect(isEmptyDiff(diff)).toBe(false);
  });

  it('is empty in no other case', () => {
    expect(isEmptyDiff({ ...none, added: [alpha] })).toBe(false);
    expect(isEmptyDiff({ ...none, removed: [alpha] })).toBe(false);
  });
});

describe('AgentDirectory', () => {
  let directory: AgentDirectory;

  beforeEach(() => (directory = new AgentDirectory()));

  it('knows nobody and is not ready before the first list', () => {
    expect(directory.ready).toBe(false);
    expect(directory.size).toBe(0);
    expect(directory.list()).toEqual([]);
    expect(directory.get(alpha.id)).toBeUndefined();
    expect(directory.keyOf(alpha.id)).toBeUndefined();
  });

  it('is ready after any list, an empty one too', () => {
    expect(directory.replace([])).toEqual(none);
    expect(directory.ready).toBe(true);
  });

  it('takes a whole list and says what changed', () => {
    expect(directory.replace([alpha, beta])).toEqual({ ...none, added: [alpha, beta] });
    expect(directory.replace([rekeyed, gamma])).toEqual({
      added: [gamma],
      changed: [rekeyed],
      rekeyed: [rekeyed],
      removed: [beta],
    });
    expect(directory.list()).toEqual([rekeyed, gamma]);
    expect(directory.size).toBe(2);
    expect(directory.get(alpha.id)).toEqual(rekeyed);
    expect(directory.get(beta.id)).toBeUndefined();
  });

  it('takes a partial list: what is deleted goes, the rest comes or changes, nobody else moves', () => {
    directory.replace([alpha, beta]);
    const diff = directory.patch([
      { ...beta, deleted: true },
      { ...gamma, deleted: false },
      { ...renamed, deleted: false },
    ]);
    expect(diff).toEqual({ ...none, added: [gamma], changed: [renamed], removed: [beta] });
    expect(directory.list()).toEqual([renamed, gamma]);
  });

  it('keeps the mark of a partial list out of its records', () => {
    directory.replace([]);
    directory.patch([{ ...alpha, deleted: false }]);
    expect(directory.get(alpha.id)).toEqual(alpha);
    expect(directory.get(alpha.id)).not.toHaveProperty('deleted');
  });

  it('minds no deletion of somebody it never knew', () => {
    directory.replace([alpha]);
    expect(directory.patch([{ ...beta, deleted: true }])).toEqual(none);
    expect(directory.list()).toEqual([alpha]);
  });

  it('takes no partial list before the first whole one: everybody else would pass for unknown', () => {
    expect(directory.patch([alpha])).toEqual(none);
    expect(directory.ready).toBe(false);
    expect(directory.get(alpha.id)).toBeUndefined();
  });

  it('hands out a list that a caller may change', () => {
    directory.replace([alpha]);
    directory.list().pop();
    expect(directory.size).toBe(1);
  });
});

describe('keyOf', () => {
  const keyOfAlpha = createPublicKey(alpha.authenticationCertificate);
  let directory: AgentDirectory;

  beforeEach(() => {
    directory = new AgentDirectory();
    directory.replace([alpha, beta]);
  });

  it('imports a key once and keeps it', () => {
    const key = directory.keyOf(alpha.id);
    expect(key?.equals(keyOfAlpha)).toBe(true);
    expect(directory.keyOf(alpha.id)).toBe(key);
  });

  it.each([
    ['the whole list comes again', () => directory.replace([beta, alpha])],
    ['the agent gets another name', () => directory.patch([renamed])],
    ['another agent goes', () => directory.patch([{ ...beta, deleted: true }])],
  ])('keeps it when %s', (_what, change) => {
    const key = directory.keyOf(alpha.id);
    change();
    expect(directory.keyOf(alpha.id)).toBe(key);
  });

  it.each([
    ['a whole list', () => directory.replace([rekeyed])],
    ['a partial list', () => directory.patch([rekeyed])],
  ])('forgets it when %s brings another', (_what, change) => {
    directory.keyOf(alpha.id);
    change();
    expect(directory.keyOf(alpha.id)?.equals(createPublicKey(otherKey))).toBe(true);
  });

  it.each([
    ['a whole list', () => directory.replace([beta])],
    ['a partial list', () => directory.patch([{ ...alpha, deleted: true }])],
  ])('has none for an agent that left by %s', (_what, change) => {
    directory.keyOf(alpha.id);
    change();
    expect(directory.keyOf(alpha.id)).toBeUndefined();
  });

  it('has the new key of an agent that left and came back with another', () => {
    directory.keyOf(alpha.id);
    directory.patch([{ ...alpha, deleted: true }]);
    directory.patch([rekeyed]);
    expect(directory.keyOf(alpha.id)?.equals(createPublicKey(otherKey))).toBe(true);
  });

  it('fails for a key that is none, each time, and for that agent alone', () => {
    directory.patch([{ ...alpha, authenticationCertificate: 'no key' }]);
    for (let time = 0; time < 2; time++) {
      expect(() => directory.keyOf(alpha.id)).toThrow('not a usable RSA key');
    }
    expect(directory.keyOf(beta.id)?.type).toBe('public');
  });
});
