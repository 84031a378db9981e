const SHOWN_CHARACTERS = 40;

/** What the variable holds instead: nothing, a text to show, or a secret that is never shown. */
export type Got = { text: string | undefined; secret?: boolean };

/** The configuration cannot be used; the message is one line that names the variable and what it wants. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'CONFIG_INVALID';

  constructor(
    readonly variable: string,
    wants: string,
    got: Got,
  ) {
    super(`${variable}: wants ${wants}, got ${show(got)}`);
  }
}

function show({ text, secret }: Got): string {
  if (!text) return 'nothing';
  if (secret) return 'a secret that is not shown';
  const withoutPassword = text.replace(/^.*@/s, '***@');
  const cut = withoutPassword.length > SHOWN_CHARACTERS;
  return JSON.stringify(cut ? `${withoutPassword.slice(0, SHOWN_CHARACTERS)}…` : withoutPassword);
}
