import Validator, { type ValidationError, type ValidationSchema } from 'fastest-validator';

const validator = new Validator({
  useNewCustomCheckerFunction: true,
  messages: { isoTimestamp: "The '{field}' field must be what Date.toISOString() prints." },
});

const UNREADABLE: ValidationError = {
  type: 'unreadable',
  field: '',
  actual: undefined,
  message: 'A field holds an object or a list where a text belongs.',
};

/** A check that lists every violated rule of a schema and never throws, whatever the value holds. */
export function checker(schema: ValidationSchema): (value: object) => ValidationError[] {
  const check = validator.compile(schema);
  return (value) => {
    try {
      const result = check(value);
      return Array.isArray(result) ? result : [];
    } catch {
      // It prints every value that breaks a rule, and not everything can be: `[{"toString": null}]` cannot.
      return [UNREADABLE];
    }
  };
}
