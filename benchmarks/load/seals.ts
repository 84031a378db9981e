/** Sealing and opening as an agent does it, in a process of its own. */
import { generateKeyPairSync } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { open } from '../../lib/crypto/open';
import { seal } from '../../lib/crypto/seal';
import { serve } from './worker';

export interface Cost {
  /** CPU of all threads for each, µs. */
  cpuUs: number;
  /** The longest that the event loop stood still, ms. */
  stalledMs: number;
}

const PARALLEL = 8;
const WARM_UP = 500;
const NS_PER_MS = 1e6;
/** Resolution of the measurement, which is in its readings, ms. */
const RESOLUTION_MS = 1;
const BINDING = {
  messageId: '6f1d2c3b-7a89-4e5f-8a1b-000000000000',
  senderId: '6f1d2c3b-7a89-4e5f-8a1b-000000000001',
  recipientId: '6f1d2c3b-7a89-4e5f-8a1b-000000000002',
};
const PAYLOAD = { chat: { id: 'c' }, messages: [{ content: 'A question. '.repeat(40) }] };

const sender = generateKeyPairSync('rsa', { modulusLength: 2048 });
const recipient = generateKeyPairSync('rsa', { modulusLength: 2048 });

const sealOne = () => seal(PAYLOAD, BINDING, sender.privateKey, recipient.publicKey);

async function sealing(count: number): Promise<Cost> {
  return costOf(count, sealOne);
}

async function opening(count: number): Promise<Cost> {
  const sealed = await sealOne();
  return costOf(count, () => open(sealed, BINDING, 'require', recipient.privateKey, sender.publicKey));
}

async function costOf(count: number, work: () => Promise<unknown>): Promise<Cost> {
  await many(WARM_UP, work);
  const before = process.cpuUsage();
  await many(count, work);
  const { user, system } = process.cpuUsage(before);
  // Apart from the cost, to which its timer would add.
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  await many(WARM_UP, work);
  delays.disable();
  return { cpuUs: (user + system) / count, stalledMs: delays.max / NS_PER_MS - RESOLUTION_MS };
}

async function many(count: number, work: () => Promise<unknown>): Promise<void> {
  let left = count;
  const one = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: PARALLEL }, one));
}

const methods = { sealing, opening };
export type Seals = typeof methods;
serve(methods);
