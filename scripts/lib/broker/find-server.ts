import { executable, firstProgram, programDirs } from '../find-program';

/** Programs of an installed RabbitMQ. */
export interface InstalledServer {
  server: string;
  epmd: string;
}

// Packages of Debian, Ubuntu, Fedora and RabbitMQ itself put a wrapper on PATH that insists on the user `rabbitmq`
// and on the system's data folder; what it wraps lies here and does not, hence before PATH.
const SERVER_DIRS = ['/usr/lib/rabbitmq/bin'];

/** The RabbitMQ installed on this machine, or nothing when it or Erlang's `epmd` is missing. */
export function findServer(searchPath: string, isProgram = executable): InstalledServer | undefined {
  const dirs = programDirs(searchPath);
  const server = firstProgram('rabbitmq-server', [...SERVER_DIRS, ...dirs], isProgram);
  const epmd = firstProgram('epmd', [...dirs, '/usr/lib/erlang/bin'], isProgram);
  return server && epmd ? { server, epmd } : undefined;
}
