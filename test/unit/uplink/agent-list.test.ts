import { readList } from '../../../lib/uplink/agent-list';

const alpha = { id: 'a', name: 'alpha', authenticationCertificate: 'key', createdAt: '', updatedAt: '' };
const beta = { ...alpha, id: 'b', deleted: false };

describe('readList', () => {
  it('reads the list in its array', () => {
    expect(readList([[alpha, beta]])).toEqual([alpha, beta]);
  });

  it('reads the bare list', () => {
    expect(readList([alpha, beta])).toEqual([alpha, beta]);
    expect(readList([alpha])).toEqual([alpha]);
  });

  it.each([[[]], [[[]]]])('reads an empty list in either form: %j', (data) => {
    expect(readList(data)).toEqual([]);
  });

  it.each([
    undefined,
    null,
    'text',
    1,
    {},
    { 0: [alpha] },
    [null],
    [['text', 1]],
    [[[alpha]]],
    [[{ ...alpha, id: 1 }]],
  ])('takes %j for no list: nobody may be forgotten for it', (data) => {
    expect(readList(data)).toBeUndefined();
  });

  it.each([
    ['id', { ...alpha, id: undefined }],
    ['id that is a text', { ...alpha, id: 1 }],
    ['key', { ...alpha, authenticationCertificate: undefined }],
    ['key that is a text', { ...alpha, authenticationCertificate: {} }],
  ])('leaves an agent without %s out, and keeps its neighbours', (_what, entry) => {
    expect(readList([[alpha, entry, beta]])).toEqual([alpha, beta]);
  });

  it('takes a deleted agent without a key', () => {
    const gone = { id: 'a', deleted: true };
    expect(readList([[gone]])).toEqual([gone]);
    expect(readList([[gone, { id: 'b', deleted: 'yes' }]])).toEqual([gone]);
  });
});
