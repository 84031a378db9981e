import type { ValidationSchema } from 'fastest-validator';
import { jsonSchemaOf } from '../../../lib/openapi/json-schema';

describe('jsonSchemaOf', () => {
  it('says in JSON Schema what a schema of fastest-validator says', () => {
    const schema = jsonSchemaOf({
      $$strict: true,
      name: { type: 'string', empty: false },
      note: { type: 'string', optional: true },
      tags: { type: 'array', items: { type: 'string' } },
      kind: { type: 'equal', value: 1, strict: true },
    });
    expect(schema).toEqual({
      type: 'object',
      required: ['name', 'tags', 'kind'],
      properties: {
        name: { type: 'string', minLength: 1 },
        note: { type: ['string', 'null'] },
        tags: { type: 'array', items: { type: 'string' } },
        kind: { const: 1 },
      },
      additionalProperties: false,
    });
  });

  it.each([
    ['a rule', { a: { type: 'email' } }],
    ['an option', { a: { type: 'string', trim: true } }],
    ['a custom rule', { a: { type: 'custom', check: () => true } }],
    ['a loose comparison', { a: { type: 'equal', value: 1 } }],
    ['removal of what is not listed', { $$strict: 'remove', a: { type: 'string' } }],
    ['something optional without a type', { a: { type: 'equal', value: 1, strict: true, optional: true } }],
    ['a name of JavaScript', { a: { type: 'constructor' } }],
  ])('throws for %s that it does not know', (_, schema) => {
    expect(() => jsonSchemaOf(schema as ValidationSchema)).toThrow(TypeError);
  });
});
