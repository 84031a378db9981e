/**
 * Whether a Prefer header asks for a preference that takes no value, such as `respond-async` (RFC 7240, 2 and 4.1):
 * names in any case, several in one header of which the first of a name counts, parameters ignored, an empty value as
 * good as none.
 */
export function prefers(header: string | undefined, name: string): boolean {
  for (const preference of split(header ?? '', ',')) {
    const [asked = ''] = split(preference, ';');
    const equals = asked.indexOf('=');
    const [token, value] = equals < 0 ? [asked, ''] : [asked.slice(0, equals), asked.slice(equals + 1).trim()];
    if (token.trim().toLowerCase() === name) return value === '' || value === '""';
  }
  return false;
}

/** Cuts where the separator stands outside of quoted strings (RFC 9110, 5.6.4). */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let [start, quoted] = [0, false];
  for (let at = 0; at < text.length; at++) {
    if (quoted && text[at] === '\\') at++;
    else if (text[at] === '"') quoted = !quoted;
    else if (text[at] === separator && !quoted) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...parts, text.slice(start)];
}
