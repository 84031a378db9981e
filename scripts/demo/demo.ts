import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { provideBroker } from '../lib/broker/provide-broker';
import type { ProvidedBroker } from '../lib/broker/types';
import { build, buildIsOld } from './build';
import { Fleet } from './fleet';
import { guide } from './guide';
import { hopLines, hopsOf } from './hops';
import { keptIdentity } from './identity';
import { brokerEnv, DemoPlan } from './plan';
import { demoPorts } from './ports';
import type { Progress } from './progress';
import { answerIn, post, questionTo, wordsOf, type ArrivedMessage } from './question';
import { envFile, writeSecret } from './secret-file';
import { setTimeout as wait } from 'node:timers/promises';

const ROOT = path.join(__dirname, '../..');
const ANSWER_LIMIT_MS = 15_000;
/** The last hop of the answer is logged after the chatbot has it. */
const LAST_HOP_LIMIT_MS = 2000;
const QUESTION = 'My bicycle was stolen in front of the tax office. What do I do now?';

export interface DemoSettings {
  /** Kept between two runs. */
  dataDir: string;
  /** A person can be asked. */
  interactive: boolean;
  env: NodeJS.ProcessEnv;
}

/** Two organisations, a server and a broker on this machine, from their start to their end. */
export class Demo {
  private readonly folder: string;
  private readonly fleet: Fleet;
  private broker: ProvidedBroker | undefined;

  constructor(
    private readonly settings: DemoSettings,
    private readonly progress: Progress,
  ) {
    this.folder = path.resolve(settings.dataDir, 'demo');
    this.fleet = new Fleet(this.folder, (line) => progress.print(`    ${line}`));
  }

  /** Rejects when a process ends that was not asked to; never resolves. */
  get death(): Promise<never> {
    return this.fleet.death;
  }
