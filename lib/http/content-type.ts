import { HttpError } from './problem';
import { splitHeader } from './split-header';

const PARAMETER = /^([\w!#$%&'*+.^`|~-]+)=([\w!#$%&'*+.^`|~-]+|"(?:[^"\\]|\\.)*")$/;

/**
 * Why a body of this content type is not read; undefined for JSON in UTF-8. Parameters other than the charset are
 * ignored, and so is a semicolon that none follows (RFC 9110, 5.6.6).
 */
export function contentTypeProblem(contentType = ''): HttpError | undefined {
  const [type = '', ...parameters] = splitHeader(contentType, ';').map((part) => part.trim());
  const given = parameters.filter((parameter) => parameter !== '').map((parameter) => PARAMETER.exec(parameter));
  if (type.toLowerCase() !== 'application/json' || given.includes(null)) {
    return new HttpError(415, 'CONTENT_TYPE_UNSUPPORTED', 'The content type must be application/json');
  }
  const charsets = given.flatMap((found) => (found?.[1]?.toLowerCase() === 'charset' ? [found[2] ?? ''] : []));
  if (charsets.every((charset) => /^"?utf-8"?$/i.test(charset))) return undefined;
  return new HttpError(415, 'CHARSET_UNSUPPORTED', 'The charset must be UTF-8');
}
