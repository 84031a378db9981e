/** What lib needs of a logger; Moleculer's loggers are one. Never pass payloads, tokens, keys or passwords. */
export interface Log {
  error(message: string, context?: object): void;
  warn(message: string, context?: object): void;
  info(message: string, context?: object): void;
  debug(message: string, context?: object): void;
}
