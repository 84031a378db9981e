import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** Programs of an installed RabbitMQ. */
export interface InstalledServer {
  server: string;
  epmd: string;
}

// Packages of Debian, Ubuntu, Fedora and RabbitMQ itself put a wrapper on PATH that insists on the user `rabbitmq`
// and on the system's data folder; what it wraps lies here and does not, hence before PATH.
const SERVER_DIRS = ['/usr/lib/rabbitmq/bin'];
const MORE_DIRS = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/opt/homebrew/sbin',
  '/opt/homebrew/bin',
  '/usr/sbin',
  '/usr/bin',
];

/** The RabbitMQ installed on this machine, or nothing when it or Erlang's `epmd` is missing. */
export function findServer(searchPath: string, isProgram = executable): InstalledServer | undefined {
  const dirs = [...searchPath.split(path.delimiter).filter(Boolean), ...MORE_DIRS];
  const server = firstProgram('rabbitmq-server', [...SERVER_DIRS, ...dirs], isProgram);
  const epmd = firstProgram('epmd', [...dirs, '/usr/lib/erlang/bin'], isProgram);
  return server && epmd ? { server, epmd } : undefined;
}

function firstProgram(name: string, dirs: string[], isProgram: (file: string) => boolean): string | undefined {
  return dirs.map((dir) => path.join(dir, name)).find(isProgram);
}

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // missing or not ours to run: the next folder
  }
}
