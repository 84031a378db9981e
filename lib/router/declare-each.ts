import type { QueueDefinition } from '../amqp/topology';
import { DmrError, messageOf, RetryableError } from '../errors';
import { mapParallel } from '../parallel';

const PARALLEL = 8;
/** An error names so many queues at the most. */
const MOST_NAMED = 20;

/**
 * Declares queues, each whatever becomes of the others; those of one group in their order. Throws RetryableError
 * QUEUES_NOT_DECLARED, which names those that could not be declared and says why; and BROKER_UNAVAILABLE as soon as the
 * connection is lost.
 */
export async function declareEach(
  groups: readonly (readonly QueueDefinition[])[],
  declare: (queue: QueueDefinition) => Promise<void>,
): Promise<void> {
  const failed: string[] = [];
  const declareOne = async (queue: QueueDefinition) => {
    try {
      await declare(queue);
    } catch (error) {
      // Nothing more can be done over this connection; the next one declares all of them again.
      if (error instanceof DmrError && error.code === 'BROKER_UNAVAILABLE') throw error;
      failed.push(`${queue.name}: ${messageOf(error)}`);
    }
  };
  await mapParallel(groups, PARALLEL, async (queues) => {
    for (const queue of queues) await declareOne(queue);
  });
  if (failed.length === 0) return;
  const more = failed.length > MOST_NAMED ? `; and ${failed.length - MOST_NAMED} more` : '';
  throw new RetryableError(
    'QUEUES_NOT_DECLARED',
    `${failed.length} of ${groups.flat().length} queues could not be declared: ${failed.slice(0, MOST_NAMED).join('; ')}${more}`,
  );
}
