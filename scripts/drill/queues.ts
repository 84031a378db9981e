import { connect, type GetMessage } from 'amqplib';
import type { AmqpAccess } from '../lib/broker/types';

/** A message that was put away: which, and the queue and reason. */
export interface PutAway {
  id: string;
  where: string;
}

/**
 * What lies in the dead-letter queues of these agents and in validation-failures, with the reasons. It is read and, with
 * `take`, taken out; else it stays where it is, in its order.
 */
export async function refuse(access: AmqpAccess, agentIds: string[], take: boolean): Promise<PutAway[]> {
  const { host, port, user, password, vhost } = access;
  const connection = await connect({ hostname: host, port, username: user, password, vhost });
  connection.on('error', () => undefined); // the calls below fail with the same reason
  try {
    const found: PutAway[] = [];
    for (const queue of [...agentIds.map((id) => `${id}.dlq`), 'validation-failures']) {
      const channel = await connection.createChannel();
      for (
        let message = await channel.get(queue, { noAck: take });
        message;
        message = await channel.get(queue, { noAck: take })
      ) {
        found.push(read(queue, message));
      }
      await channel.close(); // hands back what was not taken
    }
    return found;
  } finally {
    await connection.close();
  }
}

function read(queue: string, { properties, content }: GetMessage): PutAway {
  const headers = (properties.headers ?? {}) as Record<string, string | undefined>;
  const id = String(properties.messageId);
  if (queue !== 'validation-failures') {
    const reason = headers['x-dmr-reason'] ?? headers['x-first-death-reason'] ?? 'no reason';
    return { id, where: `dead-letter: ${reason}` };
  }
  const { errors } = JSON.parse(content.toString()) as { errors: { type: string }[] };
  return { id, where: `validation-failures: ${errors[0]?.type}` };
}
