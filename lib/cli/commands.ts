import { brokerDefinitions } from './broker-definitions';
import type { Command } from './command';
import { keygen } from './keygen';
import { keysCheck } from './keys-check';
import { repl } from './repl';

/** Every command of `dmr`, in the order of the help. */
export const COMMANDS: readonly Command[] = [keygen, keysCheck, brokerDefinitions, repl];
