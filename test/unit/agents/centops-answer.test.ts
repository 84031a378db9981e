import { readPage } from '../../../lib/agents/centops-answer';
import { RetryableError } from '../../../lib/errors';
import { makeIdentity, toAgentRecord } from '../../helpers/keys';

type Json = Record<string, unknown>;

const alpha = makeIdentity('alpha');
const record = toAgentRecord(alpha);

const flat = (change: Json = {}): Json => ({
  id: record.id,
  name: record.name,
  authentication_certificate: record.authenticationCertificate,
  created_at: record.createdAt,
  updated_at: record.updatedAt,
  ...change,
});

const paged = (change: Json = {}): Json => {
  const { id: clientId, ...rest } = record;
  return { clientId, ...rest, ...change };
};

describe('readPage', () => {
  it('reads the flat shape', () => {
    expect(readPage({ response: [flat()] })).toEqual({ agents: [record], rejected: [], totalPages: 1 });
  });

  it('reads the paged shape', () => {
    const body = { response: { items: [paged()], page: 2, pageSize: 1, totalPages: 3 } };
    expect(readPage(body)).toEqual({ agents: [record], rejected: [], totalPages: 3 });
  });

  it.each([undefined, null, '3', 1.5, 0, -1, NaN, Infinity])('takes totalPages %p for one page', (totalPages) => {
    expect(readPage({ response: { items: [], totalPages } }).totalPages).toBe(1);
  });

  it('ignores what it does not know and lets dates be missing', () => {
    const entry = flat({ more: 1, created_at: undefined, updated_at: null });
    expect(readPage({ response: [entry] }).agents).toEqual([{ ...record, createdAt: '', updatedAt: '' }]);
  });

  it('takes an agent without a name: its id is all that routing needs', () => {
    expect(readPage({ response: [flat({ name: undefined })] }).agents).toEqual([{ ...record, name: '' }]);
  });

  it('takes a key with written line breaks as it is', () => {
    const escaped = alpha.publicKeyPem.replaceAll('\n', '\\n');
    const { agents } = readPage({ response: [flat({ authentication_certificate: escaped })] });
    expect(agents[0]?.authenticationCertificate).toBe(escaped);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'response'],
    ['a bare list', [flat()]],
    ['no response', { agents: [] }],
    ['a response that is a text', { response: 'x' }],
    ['a response without items', { response: {} }],
    ['items that are no list', { response: { items: {} } }],
  ])('refuses %s as a whole', (_what, body) => {
    expect(() => readPage(body)).toThrow(RetryableError);
    expect(() => readPage(body)).toThrow('not a list of agents');
  });

  it.each([
    ['is null', null],
    ['is a text', 'agent'],
    ['is a list', [flat()]],
    ['has no id', flat({ id: undefined })],
    ['has an id that is no UUID', flat({ id: 'alpha' })],
    ['has an id that is a number', flat({ id: 1 })],
    ['has no key', flat({ authentication_certificate: undefined })],
    ['has an empty key', flat({ authentication_certificate: '' })],
    ['has a key that is none', flat({ authentication_certificate: 'key' })],
    ['has a private key', flat({ authentication_certificate: alpha.privateKeyPem })],
  ])('leaves an entry out that %s, and keeps its neighbours', (_what, entry) => {
    const beta = flat({ id: makeIdentity('beta').id, name: 'beta' });
    const { agents, rejected } = readPage({ response: [flat(), entry, beta] });
    expect(agents.map(({ name }) => name)).toEqual(['alpha', 'beta']);
    expect(rejected).toEqual([expect.stringMatching(/^entry 1 \(.*\): ./)]);
  });

  it('never repeats a key in its reasons, and not much of an id', () => {
    const { rejected } = readPage({
      response: [flat({ authentication_certificate: alpha.privateKeyPem }), flat({ id: 'x'.repeat(1000) })],
    });
    expect(rejected[0]).not.toContain('PRIVATE');
    expect(rejected[0]).not.toContain(alpha.privateKeyPem.split('\n')[1]);
    expect(rejected[1]?.length).toBeLessThan(120);
  });
});
