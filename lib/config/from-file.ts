import { readFileSync } from 'node:fs';
import { ConfigError } from './config-error';
import type { Variable } from './variable';

/** Who puts the secret itself where its file belongs must not find it in the log. */
const HIDDEN = { text: 'what is there', secret: true };

/** What was given for a variable, and by which variable. */
export interface Given {
  /** The variable to blame: the one itself, or the one that names a file. */
  by: string;
  text: string | undefined;
  /** The file that the text was read from. */
  file?: string;
}

/** The variable that may name a file with the value in it, as Docker and Kubernetes hand out secrets; none for most. */
export function fileVariable(name: string, { secret, orFile }: Variable): string | undefined {
  return secret || orFile ? `${name}_FILE` : undefined;
}

/**
 * What the environment gives for a variable; the line break that ends a file is no part of it. An empty variable counts
 * as missing, and so does an empty file.
 * @throws {ConfigError} when the variable and its file are both given, or the file cannot be read
 */
export function givenFor(name: string, variable: Variable, env: NodeJS.ProcessEnv): Given {
  const by = fileVariable(name, variable);
  const file = by && env[by];
  const text = env[name] || undefined;
  if (!file) return { by: name, text };
  if (text !== undefined) throw new ConfigError(by, `to be absent where ${name} is set`, HIDDEN);
  return { by, text: contentOf(file, by).replace(/\r?\n$/, '') || undefined, file };
}

function contentOf(file: string, by: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new ConfigError(by, 'a file that can be read', HIDDEN); // missing, a folder, or not ours to read
  }
}
