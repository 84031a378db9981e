import { install, installCommandHere } from '../debian';
import { configuredBroker } from './configured';
import { dockerAnswers, startDockerBroker } from './docker';
import { findServer } from './find-server';
import type { InstalledServer } from './find-server';
import { startPrivateNode } from './private-node';
import type { Command, ProvidedBroker, ProvideOptions } from './types';

/** What this machine offers; each is asked for only when what comes before it is not there. */
export interface Probes {
  configured(): boolean;
  installed(): InstalledServer | undefined;
  docker(): Promise<boolean>;
  /** How to install RabbitMQ, when the machine is Debian's or Ubuntu's and we may. */
  install(): Promise<Command | undefined>;
}

type InstallOptions = Pick<ProvideOptions, 'env' | 'interactive' | 'say'>;

export type Way =
  | { kind: 'configured' | 'docker' }
  | { kind: 'private'; installed: InstalledServer }
  | { kind: 'install'; command: Command };

const NO_BROKER = `There is no RabbitMQ to run on. Any one of these will do:
  - install RabbitMQ so that rabbitmq-server is on PATH (Debian, Ubuntu: apt-get install rabbitmq-server)
  - start Docker
  - name a running broker: RABBITMQ_DEFAULT_HOST, RABBITMQ_DEFAULT_USER, RABBITMQ_DEFAULT_PASS
    and RABBITMQ_DEFAULT_MANAGEMENT_UI_URI`;

/**
 * Provides a broker that answers: the configured one, else a private node of the installed RabbitMQ, else one in Docker,
 * else a private node after Debian's package was installed.
 * @throws when there is no way, saying what to do; or when the way taken fails
 */
export async function provideBroker(options: ProvideOptions): Promise<ProvidedBroker> {
  const way = await chooseWay(probesOf(options));
  switch (way.kind) {
    case 'configured':
      return configuredBroker(options.env);
    case 'private':
      return startPrivateNode(way.installed, options);
    case 'docker':
      return startDockerBroker(options);
    case 'install':
      return startPrivateNode(await installServer(way.command, options), options);
  }
}

/**
 * Picks the first way there is.
 * @throws when there is none
 */
export async function chooseWay(probes: Probes): Promise<Way> {
  if (probes.configured()) return { kind: 'configured' };
  const installed = probes.installed();
  if (installed) return { kind: 'private', installed };
  if (await probes.docker()) return { kind: 'docker' };
  const command = await probes.install();
  if (command) return { kind: 'install', command };
  throw new Error(NO_BROKER);
}

function probesOf({ env, interactive }: InstallOptions): Probes {
  return {
    configured: () => !!env['RABBITMQ_DEFAULT_HOST'],
    installed: () => findServer(env['PATH'] ?? ''),
    docker: () => dockerAnswers(),
    install: () => installCommandHere(interactive, 'rabbitmq-server'),
  };
}

/**
 * Finds the installed RabbitMQ; where there is none and we may, Debian's package is installed. For those who start nodes
 * of their own.
 * @throws when there is none and no way to one
 */
export async function provideServer(options: InstallOptions): Promise<InstalledServer> {
  const probes = probesOf(options);
  const installed = probes.installed();
  if (installed) return installed;
  const command = await probes.install();
  if (!command) throw new Error('RabbitMQ must be installed for this: put rabbitmq-server on PATH');
  return installServer(command, options);
}

async function installServer(command: Command, options: InstallOptions): Promise<InstalledServer> {
  if (!(await install('rabbitmq-server', command, options))) throw new Error(NO_BROKER);
  const installed = findServer(options.env['PATH'] ?? '');
  if (!installed) throw new Error('rabbitmq-server was installed but is not where Debian puts it');
  return installed;
}
