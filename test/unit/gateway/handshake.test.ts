import type { Socket } from 'socket.io';
import type { AgentRecord } from '../../../lib/agents/agent-record';
import { listenSpanMs, partialList, tokenOf } from '../../../lib/gateway/handshake';

const socket = (auth: object, headers: object = {}) => ({ handshake: { auth, headers } }) as unknown as Socket;

const agent = (name: string): AgentRecord => ({
  id: name,
  name,
  authenticationCertificate: `key of ${name}`,
  createdAt: '',
  updatedAt: '',
});

describe('tokenOf', () => {
  const bearer = { authorization: 'Bearer from-header' };

  it('is auth.token', () => {
    expect(tokenOf(socket({ token: 'from-auth' }))).toBe('from-auth');
  });

  it('is auth.token even beside a header', () => {
    expect(tokenOf(socket({ token: 'from-auth' }, bearer))).toBe('from-auth');
  });

  it.each([null, '', 0, {}])('is auth.token whatever it holds, for the token check to judge: %j', (token) => {
    expect(tokenOf(socket({ token }, bearer))).toBe(token);
  });

  it.each(['Bearer', 'bearer', 'BEARER'])('is else the header, with the word %s', (word) => {
    expect(tokenOf(socket({}, { authorization: `${word} from-header` }))).toBe('from-header');
  });

  it.each([
    {},
    { authorization: '' },
    { authorization: 'Bearer ' },
    { authorization: 'Basic x' },
    { authorization: 'x' },
  ])('is undefined with neither: %j', (headers) => {
    expect(tokenOf(socket({}, headers))).toBeUndefined();
  });
});

describe('partialList', () => {
  it('marks who left as deleted, and everybody else as not', () => {
    const [added, changed, removed] = ['added', 'changed', 'removed'].map(agent) as [
      AgentRecord,
      AgentRecord,
      AgentRecord,
    ];
    const diff = { added: [added], changed: [changed], rekeyed: [changed], removed: [removed] };
    expect(partialList(diff)).toEqual([
      { ...added, deleted: false },
      { ...changed, deleted: false },
      { ...removed, deleted: true },
    ]);
    expect(added).not.toHaveProperty('deleted');
  });

  it('is empty for no change', () => {
    expect(partialList({ added: [], changed: [], rekeyed: [], removed: [] })).toEqual([]);
  });
});

describe('listenSpanMs', () => {
  it('is longer than all tries together, so that no late ack is lost', () => {
    const delivery = { ackTimeoutMs: 2000, maxTries: 10, retryDelayMs: 1000, retryDelayMaxMs: 30_000, prefetch: 50 };
    const waits = [1, 2, 4, 8, 16, 30, 30, 30, 30].reduce((sum, seconds) => sum + seconds * 1000, 0);
    expect(listenSpanMs(delivery)).toBeGreaterThanOrEqual(10 * 2000 + waits);
  });

  it('is never longer than a timer can be, which would fire at once', () => {
    const patient = { ackTimeoutMs: 2_147_483_647, maxTries: 1000, retryDelayMs: 1, retryDelayMaxMs: 1, prefetch: 50 };
    expect(listenSpanMs(patient)).toBe(2_147_483_647);
  });

  it('ends some time, so that an agent that never answers costs no memory for ever', () => {
    const delivery = { ackTimeoutMs: 5, maxTries: 2, retryDelayMs: 1, retryDelayMaxMs: 10, prefetch: 50 };
    expect(listenSpanMs(delivery)).toBe(30);
  });
});
