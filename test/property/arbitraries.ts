import { inspect } from 'node:util';
import fc from 'fast-check';

/** How many times the usual number of inputs is tried; the seed is random, so every run sees others. */
const EFFORT = Number(process.env['DMR_TEST_EFFORT'] ?? 1);

/** Parameters of `fc.assert`: so many runs at the usual effort. */
export const runs = (count: number) => ({ numRuns: Math.max(1, Math.round(count * EFFORT)) });

/** Names that mean something to JavaScript when they are looked up where they should not be. */
export const hostileName = fc.constantFrom(
  ...['__proto__', 'constructor', 'prototype', 'toJSON', 'toString', 'valueOf', 'hasOwnProperty', 'then', 'length'],
  ...['id', 'type', 'status', 'errors', 'message', ''],
);

const loneSurrogate = fc.integer({ min: 0xd800, max: 0xdfff }).map((code) => String.fromCharCode(code));

/** Any text: every plane of Unicode, halves of pairs, hostile names, control characters. */
export const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: 'binary-ascii', maxLength: 20 }),
  loneSurrogate,
  hostileName,
  fc.uuid(),
  fc.constantFrom('ChatMessage', 'ok', 'error', 'DELIVERY_FAILED', '2026-11-20T10:00:00.000Z', '\u0000', '\u001b[2J'),
);

const anyNumber = fc.oneof(
  fc.integer(),
  fc.constantFrom(0, -0, 1e308, 5e-324, 2 ** 53 + 2, -(2 ** 63), Infinity, -Infinity, NaN),
);

const leaf = fc.oneof(anyText, anyNumber, fc.boolean(), fc.constant(null));

const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.oneof(hostileName, anyText), tie('tree')), { maxLength: 4 })
      // Defines `__proto__` as a property of its own, as JSON.parse does.
      .map((entries): unknown => Object.fromEntries(entries)),
  ),
}));

/** One value inside as many others as the stack of a parser may not bear. */
const nested = fc.tuple(fc.integer({ min: 100, max: 5000 }), fc.boolean()).map(([depth, asArray]) => {
  let value: unknown = null;
  for (let level = 0; level < depth; level++) value = asArray ? [value] : { payload: value };
  return value;
});

/** Anything that JSON can say, and the numbers that it cannot. */
export const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  { arbitrary: tree, weight: 200 },
  { arbitrary: fc.constant(undefined), weight: 4 },
  { arbitrary: nested, weight: 1 },
);

/** Any JSON as its text, also such that printing would not get to the end of. */
export const anyJson = fc.oneof(
  { arbitrary: tree.map((value) => JSON.stringify(value)), weight: 100 },
  {
    arbitrary: fc.integer({ min: 100, max: 20_000 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
    weight: 1,
  },
);

type Path = (string | number)[];

function pathsOf(value: unknown, base: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => [[...base, key], ...pathsOf(child, [...base, key])]);
}

type Change = (holder: object, key: string) => void;

/** A copy of `value` in which what lies at the path is changed; everything beside the path is shared. */
function changedAt(value: unknown, [key, ...rest]: Path, change: Change): unknown {
  const copy: object = Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) };
  const name = String(key);
  if (rest.length === 0) change(copy, name);
  else put(copy, name, changedAt((value as Record<string, unknown>)[name], rest, change));
  return copy;
}

/** Puts a property of its own there, as JSON.parse does, even `__proto__`; a list gets one more element. */
function put(holder: object, key: string, value: unknown): void {
  if (Array.isArray(holder) && !/^\d+$/.test(key)) holder.push(value);
  else Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

function remove(holder: object, key: string): void {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else Reflect.deleteProperty(holder, key);
}

/**
 * Everything that is wrong with one thing in a valid value: the odd value itself, each part of the valid one replaced by
 * it, each part removed, and one more part of that name beside each.
 */
export function mutantsOf(valid: unknown, odd: unknown, name: string): unknown[] {
  const paths = pathsOf(valid);
  return [
    odd,
    ...paths.map((path) => changedAt(valid, path, (holder, key) => put(holder, key, odd))),
    ...paths.map((path) => changedAt(valid, path, remove)),
    ...paths.map((path) => changedAt(valid, path, (holder) => put(holder, name, odd))),
  ];
}

/**
 * Fails for the first mutant of a valid value that a check does not hold for; the number of inputs is a multiple of that
 * of the runs.
 */
export function forMutants(valid: unknown, count: number, holds: (mutant: unknown) => boolean): void {
  fc.assert(
    fc.property(anyValue, fc.oneof(hostileName, anyText), (odd, name) => {
      for (const mutant of mutantsOf(valid, odd, name)) {
        if (!holds(mutant)) throw new Error(`It does not hold for ${inspect(mutant, { depth: 10 })}`);
      }
    }),
    runs(count),
  );
}

/** One edit of a text: a character replaced, removed, doubled, put in or swapped with its neighbour, or the end cut. */
export const edit = fc.tuple(
  fc.constantFrom('replace', 'remove', 'double', 'insert', 'swap', 'cut'),
  fc.nat(),
  fc.oneof(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 1 }), fc.constantFrom('=', '.', ' ', '\n', 'A')),
);

/** The text with one edit, which may leave it as it is. */
export function edited(text: string, [kind, at, char]: readonly [string, number, string]): string {
  const index = at % Math.max(1, text.length);
  const [before, here, after] = [text.slice(0, index), text.charAt(index), text.slice(index + 1)];
  if (kind === 'replace') return before + char + after;
  if (kind === 'remove') return before + after;
  if (kind === 'double') return before + here + here + after;
  if (kind === 'insert') return before + char + here + after;
  if (kind === 'swap') return before + after.charAt(0) + here + after.slice(1);
  return before;
}
