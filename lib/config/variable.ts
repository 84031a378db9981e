import type { Rule } from './rules';

/** One variable of the environment, as data: parsing, the examples and the documentation are made from it. */
export interface Variable<T = unknown> {
  /** One sentence, with the unit. */
  readonly doc: string;
  readonly rule: Rule<T>;
  /** What an absent or empty variable stands for, as text. */
  readonly default?: string;
  readonly required?: true;
  /** The value is never printed, and may be given as a file; see `fileVariable`. */
  readonly secret?: true;
  /** No secret, and may be given as a file all the same. */
  readonly orFile?: true;
  /** What to write into `.env.example` when there is no default. */
  readonly example?: string;
}

/** The variables that one role reads, by name. */
export type Variables = Readonly<Record<string, Variable>>;

type ValueOf<V> = V extends { rule: Rule<infer T> }
  ? V extends { required: true } | { default: string }
    ? T
    : T | undefined
  : never;

/** The values of a role's variables; only those without a default that are not required may be undefined. */
export type Values<V extends Variables> = { readonly [Name in keyof V]: ValueOf<V[Name]> };
