import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { startGuard, type Guard } from '../lib/broker/guard';
import { runCommand } from '../lib/run-command';
import { provideBroker } from '../lib/broker/provide-broker';
import type { ProvidedBroker } from '../lib/broker/types';
import { keptKey } from './agent-key';
import { brokerDeath } from './broker-watch';
import { Fleet } from './fleet';
import { guide } from './guide';
import { brokerEnv, DemoPlan } from './plan';
import { demoPorts } from './ports';
import type { Progress } from './progress';
import { envFile, writeSecret } from './secret-file';
import { Story } from './story';

const ROOT = path.join(__dirname, '../..');

export interface WorldSettings {
  /** Kept between two runs. */
  dataDir: string;
  /** A person can be asked. */
  interactive: boolean;
  env: NodeJS.ProcessEnv;
}

/** What is up once the start is over. */
export interface Scene {
  plan: DemoPlan;
  broker: ProvidedBroker;
}

/** Two organisations, a server and a broker on this machine, from their start to their end. */
export class World {
  private readonly folder: string;
  private readonly fleet: Fleet;
  private lock: Guard | undefined;
  private broker: ProvidedBroker | undefined;

  constructor(
    private readonly settings: WorldSettings,
    private readonly progress: Progress,
  ) {
    this.folder = path.resolve(settings.dataDir, 'demo');
    this.fleet = new Fleet(this.folder, (line) => progress.print(`    ${line}`));
  }

  /** Rejects when a node ends that was not asked to; never resolves. */
  get death(): Promise<never> {
    return this.fleet.death;
  }

  /** Starts everything and waits until it works. @throws with the reason when it does not */
  async start(): Promise<Scene> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.lock = await this.takeFolder();
    // A broker is mostly waiting at its start, the rest mostly computing: side by side.
    const [broker, plan] = await Promise.all([this.startBroker(), this.startStandIns()]);
    const variables = brokerEnv(broker);
    writeSecret(this.envFile, envFile({ ...variables, LOGGER_LOG_LEVELS: 'error,warn' }));
    await Promise.all([
      this.progress.step('server', () => this.fleet.start([plan.server(variables)])),
      this.progress.step('agents', () => this.fleet.start(plan.agents)),
    ]);
    return { plan, broker };
  }

  /** Asks a question and tells how it went. @throws when no answer comes */
  async tellStory({ plan }: Scene): Promise<void> {
    const story = new Story(plan, this.fleet);
    await this.progress.step('question and answer', () => story.happen());
    this.progress.print(`\n${story.told()}\n`);
  }

  /** Shows what there is to see and to do. */
  showGuide({ plan, broker }: Scene): void {
    this.progress.print(guide(plan, broker, shown(this.folder)));
  }

  /** Rejects when the broker ends that was started for us; never resolves. */
  brokerDeath({ broker }: Scene): Promise<never> {
    // A configured one is somebody else's to restart.
    return broker.kind === 'configured' ? new Promise(() => {}) : brokerDeath(broker);
  }

  /** Ends what was started: agents, server, stand-ins, broker. */
  async stop(): Promise<void> {
    if (!this.lock) return; // all that is there is another run's
    rmSync(this.envFile, { force: true });
    await this.fleet.stop();
    await this.broker?.stop();
    await this.lock.stop();
  }

  /** What a REPL needs to join. */
  private get envFile(): string {
    return path.join(this.folder, 'server.env');
  }

  /** A guard of nothing: it holds the folder, so that a second run does not empty the logs of the first. */
  private takeFolder(): Promise<Guard> {
    const plan = { dir: this.folder, lock: 'demo.sock', processes: [], graceMs: 0, throwAway: false };
    return startGuard(plan, {}, (line) => this.progress.print(`    ${line}`));
  }

  private async startBroker(): Promise<ProvidedBroker> {
    const dataDir = path.resolve(this.settings.dataDir, 'broker');
    const options = { ...this.settings, dataDir };
    return this.progress.step('RabbitMQ', async (say) => {
      const { RABBITMQ_DEFAULT_HOST: host, RABBITMQ_DEFAULT_PORT: port } = options.env;
      if (host) say(`Using the configured RabbitMQ at ${host}${port ? `:${port}` : ''} …`);
      return (this.broker = await provideBroker({ ...options, say }));
    });
  }

  private async startStandIns(): Promise<DemoPlan> {
    await this.progress.step('build', ensureBuild);
    const keyOf = (name: string) => keptKey(path.join(this.folder, `${name}.pem`));
    const [taxOffice, police] = await Promise.all([keyOf('tax-office'), keyOf('police')]);
    const plan = new DemoPlan(
      await demoPorts(),
      { taxOffice, police },
      this.settings.env,
      path.join(this.folder, 'agents'),
    );
    await this.progress.step('CentOps and two chatbots', () => this.fleet.start(plan.standIns));
    return plan;
  }
}

/** As a person standing in the project would write it. */
function shown(folder: string): string {
  const relative = path.relative('', folder);
  return relative.startsWith('..') ? folder : relative;
}

/** Builds what the processes run, unless it is up to date; throws with what the compiler said. */
async function ensureBuild(): Promise<void> {
  const { code, stdout, stderr } = await runCommand([process.execPath, path.join(ROOT, 'scripts/ensure-build.mjs')]);
  if (code !== 0) throw new Error(`The build failed:\n${stdout}${stderr}`.trimEnd());
}
