import { generateKeyPairSync } from 'node:crypto';
import type { AgentConfig } from '../../../lib/config/types';
import { UplinkClient } from '../../../lib/uplink/uplink-client';
import { NAMESPACE } from '../../helpers/deployed-agent';

// A process of its own, because Node reads NODE_EXTRA_CA_CERTS once, at its start.
const uplink = {
  urls: [process.argv[2] as string],
  namespace: NAMESPACE,
  reconnectDelayMs: 10_000,
  reconnectDelayMaxMs: 10_000,
};
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const end = (what: string) => process.stdout.write(`${what}\n`, () => process.exit());
const log = { error: end, warn: end, info: () => undefined, debug: () => undefined };
const config = { agentId: '4f0e8c1a-3b52-4c7e-9d11-6a5b8f2d7c01', uplink } as AgentConfig;
const keys = { next: () => privateKey, refused: () => undefined, accepted: () => undefined };
const client = new UplinkClient(config, keys, () => Promise.resolve({ status: 'ok' }), log);
client.on('loggedIn', () => end('logged in'));
client.start();
