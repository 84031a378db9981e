import { install, installCommandHere } from './debian';
import { executable, firstProgram, programDirs } from './find-program';

/** Programs of an installed Prometheus. */
export interface InstalledPrometheus {
  prometheus: string;
  promtool: string;
}

interface InstallOptions {
  env: NodeJS.ProcessEnv;
  interactive: boolean;
  say: (line: string) => void;
}

const NO_PROMETHEUS = `The tests of alerts and dashboards need Prometheus: put prometheus and promtool on PATH
  - Debian, Ubuntu: apt-get install --no-install-recommends prometheus
  - macOS: brew install prometheus
  - elsewhere: an archive from https://prometheus.io/download`;

/** The Prometheus installed on this machine, or nothing when it or `promtool` is missing. */
export function findPrometheus(searchPath: string, isProgram = executable): InstalledPrometheus | undefined {
  const dirs = programDirs(searchPath);
  const prometheus = firstProgram('prometheus', dirs, isProgram);
  const promtool = firstProgram('promtool', dirs, isProgram);
  return prometheus && promtool ? { prometheus, promtool } : undefined;
}

/**
 * Finds the installed Prometheus; where there is none and we may, Debian's package is installed.
 * @throws when there is none and no way to one, saying how to get it
 */
export async function providePrometheus(options: InstallOptions): Promise<InstalledPrometheus> {
  const find = () => findPrometheus(options.env['PATH'] ?? '');
  const installed = find();
  if (installed) return installed;
  const command = await installCommandHere(options.interactive, 'prometheus');
  if (!command || !(await install('prometheus', command, options))) throw new Error(NO_PROMETHEUS);
  const found = find();
  if (!found) throw new Error('prometheus was installed but is not where Debian puts it');
  return found;
}
