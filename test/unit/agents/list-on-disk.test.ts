import { ServiceBroker } from 'moleculer';
import type { AgentRecord } from '../../../lib/agents/agent-record';
import { AgentDirectory } from '../../../lib/agents/directory';
import { ListOnDisk } from '../../../lib/agents/list-on-disk';
import { loadAgentConfig } from '../../../lib/config';
import { importPublicKey } from '../../../lib/crypto/keys';
import { AgentStore } from '../../../lib/store/agent-store';
import type { AgentNode } from '../../../mixins/agent-node.mixin';
import { directoryService } from '../../../services/agent/directory.service';
import { makeAgentKeys, makeIdentity, toAgentRecord } from '../../helpers/keys';
import { temporaryFolder } from '../../helpers/temporary-folder';

const OVERLAP_MS = 600_000;
const self = makeIdentity('self');
const alpha = toAgentRecord(makeIdentity('alpha'));
const first = alpha.authenticationCertificate;
const second = makeAgentKeys().publicKeyPem;
const rekeyed = { ...alpha, authenticationCertificate: second };
const pem = (text: string) => importPublicKey(text).export({ type: 'spki', format: 'pem' });

let dataDir: string;

beforeEach(() => void (dataDir = temporaryFolder()));
afterEach(() => void jest.restoreAllMocks());

/** What a process with this directory and these lists from its server believes of alpha's signatures; then it ends. */
async function keysIn(lists: AgentRecord[][], overlapMs = OVERLAP_MS) {
  const config = loadAgentConfig({
    AGENT_ID: self.id,
    AGENT_PRIVATE_KEY: self.privateKeyPem,
    DMR_SERVER_WEBSOCKET_URL: 'http://127.0.0.1:1',
    OUTGOING_MESSAGE_ENDPOINT: 'http://127.0.0.1:1',
    AGENT_DATA_DIR: dataDir,
    KEY_OVERLAP_MS: String(overlapMs),
  });
  const broker = new ServiceBroker({ logger: false });
  const { node } = broker.createService(directoryService(config)) as unknown as { node: AgentNode };
  await broker.start();
  for (const agents of lists) await broker.call('directory.replace', { agents });
  const keys = node.directory.keysOf(alpha.id).map((key) => key.export({ type: 'spki', format: 'pem' }));
  await broker.stop();
  return keys;
}

const later = (ms: number) => jest.spyOn(Date, 'now').mockReturnValue(Date.now() + ms);

describe('an agent that starts again', () => {
  it('knows the list', async () => {
    await keysIn([[alpha]]);
    expect(await keysIn([])).toEqual([pem(first)]);
  });

  it('believes the key of before a change until the overlap is over, however often it starts', async () => {
    await keysIn([[alpha], [rekeyed]]);
    later(OVERLAP_MS / 2);
    expect(await keysIn([])).toEqual([pem(second), pem(first)]);
    expect(await keysIn([[rekeyed]])).toEqual([pem(second), pem(first)]);
    later(OVERLAP_MS / 2 + 1000);
    expect(await keysIn([])).toEqual([pem(second)]);
  });

  it('believes it no longer than its own overlap', async () => {
    await keysIn([[alpha], [rekeyed]]);
    expect(await keysIn([], 0)).toEqual([pem(second)]);
  });

  it('does not believe the key of who has left meanwhile', async () => {
    await keysIn([[alpha], [rekeyed]]);
    await keysIn([[]]);
    expect(await keysIn([[rekeyed]])).toEqual([pem(second)]);
  });

  it('reads what a version that wrote no earlier keys has left', async () => {
    const store = await AgentStore.open(dataDir, self.id);
    await store.database('directory').put('list', [alpha]);
    await store.close();
    expect(await keysIn([])).toEqual([pem(first)]);
  });
});

it('a change that comes before any list leaves none: with an empty one everybody would be unknown', async () => {
  const store = await AgentStore.open(dataDir, self.id);
  const directory = new AgentDirectory();
  const onDisk = new ListOnDisk(store);
  directory.patch([alpha]);
  await onDisk.write(directory);
  const next = new AgentDirectory();
  onDisk.read(next);
  expect(next.ready).toBe(false);
  await store.close();
});

it('keys whose overlap is over leave the disk with the next list', async () => {
  await keysIn([[alpha], [rekeyed]]);
  later(OVERLAP_MS + 1000);
  await keysIn([[rekeyed]]);
  jest.restoreAllMocks();
  const store = await AgentStore.open(dataDir, self.id);
  expect(store.database('directory').get('previous')).toEqual([]);
  await store.close();
});
