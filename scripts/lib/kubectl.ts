import { install, installCommandHere } from './debian';
import { executable, firstProgram, programDirs } from './find-program';

interface InstallOptions {
  env: NodeJS.ProcessEnv;
  interactive: boolean;
  say: (line: string) => void;
}

const NO_KUBECTL = `The tests of Kubernetes' manifests need kubectl, without a cluster: put it on PATH
  - Debian, Ubuntu: apt-get install --no-install-recommends kubernetes-client
  - elsewhere: https://kubernetes.io/docs/tasks/tools`;

/**
 * The path of the installed `kubectl`, of any version; where there is none and we may, Debian's package is installed.
 * @throws when there is none and no way to one, saying how to get it
 */
export async function provideKubectl(options: InstallOptions): Promise<string> {
  const find = () => firstProgram('kubectl', programDirs(options.env['PATH'] ?? ''), executable);
  const installed = find();
  if (installed) return installed;
  const command = await installCommandHere(options.interactive, 'kubernetes-client');
  if (!command || !(await install('kubernetes-client', command, options))) throw new Error(NO_KUBECTL);
  const found = find();
  if (!found) throw new Error('kubectl was installed but is not where Debian puts it');
  return found;
}
