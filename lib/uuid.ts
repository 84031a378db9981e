const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** The text where it is a UUID in either case (RFC 9562, 4), else undefined: what others claim as an id may be anything. */
export function uuidOrNone(text: unknown): string | undefined {
  return typeof text === 'string' && UUID.test(text) ? text : undefined;
}
