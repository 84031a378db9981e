import { open, rm } from 'node:fs/promises';
import { CommandError } from './command';
import { EXIT } from './exit-codes';
import { messageOf } from '../errors';

/** Who the file belongs to may read and write it, whatever the umask says. */
const OWNER_ONLY = 0o600;

/**
 * Writes a file that did not exist before and that its owner alone can read; it is on the disk when this resolves.
 * Throws CommandError FILE_EXISTS or FILE_NOT_WRITTEN, and leaves no half file behind.
 */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', OWNER_ONLY).catch((error: unknown) => {
    throw refusal(path, error);
  });
  try {
    await file.chmod(OWNER_ONLY);
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw refusal(path, error);
  } finally {
    await file.close();
  }
}

function refusal(path: string, error: unknown): CommandError {
  const exists = (error as { code?: unknown }).code === 'EEXIST';
  const advice = exists
    ? `${path} exists and is never overwritten: name another file, or move this one away`
    : `the private key cannot be written to ${path}, name a file that can: ${messageOf(error)}`;
  const code = exists ? 'FILE_EXISTS' : 'FILE_NOT_WRITTEN';
  return new CommandError(EXIT.cannotCreate, code, advice, { cause: error });
}
