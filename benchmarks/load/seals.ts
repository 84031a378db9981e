/** Sealing and opening as an agent does it, in a process of its own. */
import { generateKeyPairSync } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { open } from '../../lib/crypto/open';
import { seal } from '../../lib/crypto/seal';
import { serve } from './worker';

const PARALLEL = 8;
/** Until what is hot is compiled. */
const WARM_UP = 8000;
const STALL_COUNT = 500;
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

let sealed = '';
const openOne = () => open(sealed, BINDING, 'require', recipient.privateKey, sender.publicKey);

async function warmUp(): Promise<void> {
  sealed = await sealOne();
  for (const work of [sealOne, openOne]) await many(WARM_UP, work);
}

/** CPU of all threads, µs. */
async function cpuUs(count: number, work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await many(count, work);
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** The longest that the event loop stood still, ms. Apart from the cost, to which its timer would add. */
async function stalledMs(): Promise<number> {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  for (const work of [sealOne, openOne]) await many(STALL_COUNT, work);
  delays.disable();
  return delays.max / NS_PER_MS - RESOLUTION_MS;
}

async function many(count: number, work: () => Promise<unknown>): Promise<void> {
  let left = count;
  const one = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: PARALLEL }, one));
}

const methods = {
  warmUp,
  sealing: (count: number) => cpuUs(count, sealOne),
  opening: (count: number) => cpuUs(count, openOne),
  stalledMs,
};
export type Seals = typeof methods;
serve(methods);
