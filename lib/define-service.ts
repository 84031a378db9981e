import type { Service, ServiceSchema, ServiceSettingSchema } from 'moleculer';

/** A schema whose `this` is typed; Moleculer's own types know no schema with a `this` of its own. */
export function defineService<TThis extends Service>(
  schema: ServiceSchema<ServiceSettingSchema, TThis>,
): ServiceSchema {
  return schema as unknown as ServiceSchema;
}

/** The same for a mixin, which needs no name. */
export function defineMixin<TThis extends Service>(
  schema: Partial<ServiceSchema<ServiceSettingSchema, TThis>>,
): Partial<ServiceSchema> {
  return schema as unknown as Partial<ServiceSchema>;
}
