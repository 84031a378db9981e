import type { AgentRecord, AgentSnapshot } from '../../../lib/agents/agent-record';
import { mergeAnswer, mergeSnapshot } from '../../../lib/agents/sync';

const agent = (id: string, name = id): AgentRecord => ({
  id,
  name,
  authenticationCertificate: `key of ${id}`,
  createdAt: '',
  updatedAt: '',
});

const current = [agent('a'), agent('b'), agent('c')];

describe('mergeAnswer', () => {
  it('takes a whole answer as it is: who is missing has left', () => {
    const agents = [agent('b', 'renamed'), agent('d')];
    expect(mergeAnswer(current, { agents, rejected: [] })).toEqual(agents);
  });

  it('takes the first whole answer', () => {
    expect(mergeAnswer([], { agents: current, rejected: [] })).toEqual(current);
  });

  it('removes nobody for an empty answer', () => {
    expect(mergeAnswer(current, { agents: [], rejected: [] })).toEqual(current);
  });

  it('removes nobody for an answer of which nothing is valid', () => {
    expect(mergeAnswer(current, { agents: [], rejected: ['entry 0'] })).toEqual(current);
  });

  it('adds and changes by a half-valid answer, and removes nobody', () => {
    const answer = { agents: [agent('b', 'renamed'), agent('d')], rejected: ['entry 2'] };
    expect(mergeAnswer(current, answer)).toEqual([agent('a'), agent('b', 'renamed'), agent('c'), agent('d')]);
  });

  it('changes neither of the two lists it is given', () => {
    const before = structuredClone(current);
    const answer = { agents: [agent('d')], rejected: ['x'] };
    mergeAnswer(current, answer);
    expect(current).toEqual(before);
    expect(answer).toEqual({ agents: [agent('d')], rejected: ['x'] });
  });
});

describe('mergeSnapshot', () => {
  const snapshot = (whole?: boolean): AgentSnapshot => ({ agents: [agent('b', 'renamed')], fetchedAt: 7, whole });

  it('takes a whole snapshot as it is', () => {
    expect(mergeSnapshot(current, snapshot(true))).toEqual(snapshot(true));
  });

  it.each([false, undefined])(
    'removes nobody for one that is not whole (%s), and does not call the sum whole',
    (whole) => {
      const agents = [agent('a'), agent('b', 'renamed'), agent('c')];
      expect(mergeSnapshot(current, snapshot(whole))).toEqual({ agents, fetchedAt: 7, whole });
    },
  );
});
