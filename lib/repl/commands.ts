import { agentsCommand } from './agents-command';
import { dlqCommand } from './dlq-command';
import { drainCommand } from './drain-command';
import { messageCommand } from './message-command';
import { queuesCommand } from './queues-command';
import { routesCommand } from './routes-command';
import { syncCommand } from './sync-command';

/** What operators type in the REPL; each prints the answer of an action. */
export const replCommands = [
  routesCommand,
  agentsCommand,
  queuesCommand,
  messageCommand,
  dlqCommand,
  syncCommand,
  drainCommand,
];
