import type { SyncResult } from '../../services/server/config-sync.service';
import { command, UsageError } from './command';
import { list } from './table';

/** `sync now`: prints what the action config-sync.sync answers. */
export const syncCommand = command<SyncResult>(
  'sync <when>',
  'Look at CentOps: sync now',
  [{ option: '--accept', description: 'Whoever a whole answer lacks has left, however many' }],
  {
    ask: (broker, { when, options }) => {
      if (when !== 'now') throw new UsageError('The command is: sync now [--accept]');
      return broker.call('config-sync.sync', { accept: options['accept'] === true });
    },
    text: ({ ok, error, ...counts }) =>
      list([
        ['ok', ok],
        ...Object.entries(counts),
        ...(error === undefined ? [] : [['error', error] as [string, string]]),
      ]),
  },
);
