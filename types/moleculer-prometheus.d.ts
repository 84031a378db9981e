declare module 'moleculer-prometheus' {
  import type { ServiceSchema } from 'moleculer';

  const mixin: ServiceSchema;
  export = mixin;
}
