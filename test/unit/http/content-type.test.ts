import { contentTypeProblem } from '../../../lib/http/content-type';

describe('the content type of a body', () => {
  it.each([
    'application/json',
    'Application/JSON',
    'application/json;',
    'application/json ; ; ',
    'application/json; charset=utf-8',
    'application/json; charset=UTF-8;',
    'application/json;charset="utf-8"',
    'application/json; version=1; note="a; charset=latin1"',
  ])('may be %s', (type) => {
    expect(contentTypeProblem(type)).toBeUndefined();
  });

  it.each([
    undefined,
    '',
    'text/plain',
    'application/jsonish',
    'application/json charset=utf-8',
    'application/json; charset=',
    'application/json; charset',
    'application/json; =utf-8',
    'application/json; charset=utf-8 utf-8',
    'application/json; note="open',
  ])('is none that is read when it is %s', (type) => {
    expect(contentTypeProblem(type)).toMatchObject({ status: 415, code: 'CONTENT_TYPE_UNSUPPORTED' });
  });

  it.each(['latin1', 'utf-16le', 'utf-7', '"utf-16"', 'utf-8; charset=utf-16', 'utf-16le;'])(
    'names no charset but UTF-8, as %s is',
    (charset) => {
      const problem = contentTypeProblem(`application/json; charset=${charset}`);
      expect(problem).toMatchObject({ status: 415, code: 'CHARSET_UNSUPPORTED' });
    },
  );
});
