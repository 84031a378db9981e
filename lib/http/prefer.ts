import { splitHeader } from './split-header';

/**
 * Whether a Prefer header asks for a preference that takes no value, such as `respond-async` (RFC 7240, 2 and 4.1):
 * names in any case, several in one header of which the first of a name counts, parameters ignored, an empty value as
 * good as none.
 */
export function prefers(header: string | undefined, name: string): boolean {
  for (const preference of splitHeader(header ?? '', ',')) {
    const [asked = ''] = splitHeader(preference, ';');
    const equals = asked.indexOf('=');
    const [token, value] = equals < 0 ? [asked, ''] : [asked.slice(0, equals), asked.slice(equals + 1).trim()];
    if (token.trim().toLowerCase() === name) return value === '' || value === '""';
  }
  return false;
}
