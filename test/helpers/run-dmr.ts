import { main } from '../../lib/cli/main';

/** What a command line came to. */
export interface DmrRun {
  code: number;
  out: string;
  err: string;
}

/** Runs a command line of `dmr` in this process, with an environment that holds nothing but what is given. */
export async function runDmr(args: string[], env: NodeJS.ProcessEnv = {}): Promise<DmrRun> {
  const run: DmrRun = { code: 0, out: '', err: '' };
  const io = { out: (text: string) => void (run.out += text), err: (text: string) => void (run.err += text), env };
  run.code = await main(args, io);
  return run;
}
