import { createPrivateKey } from 'node:crypto';
import { AgentDirectory } from '../../../lib/agents/directory';
import type { ServerConfig } from '../../../lib/config/types';
import type { AgentSocket } from '../../../lib/gateway/agent-gateway';
import { Door } from '../../../lib/gateway/door';
import type { NodeRouter } from '../../../lib/router/node-router';
import { makeToken } from '../../../lib/crypto/token';
import { makeIdentity } from '../../helpers/keys';
import { countingMetrics, RecordingLog } from '../fakes';

const config = { socket: { tokenMaxAgeMs: 60_000 } } as ServerConfig;
const socket = (address = '10.0.0.1', token = 'x') =>
  ({ handshake: { address, auth: { token }, headers: {} } }) as unknown as AgentSocket;

function setUp() {
  const { metrics, counted } = countingMetrics();
  const log = new RecordingLog();
  const directory = new AgentDirectory();
  directory.replace([{ id: 'a', name: 'a', authenticationCertificate: '', createdAt: '', updatedAt: '' }]);
  return { door: new Door(config, { directory } as NodeRouter, metrics, log), counted, log };
}

describe('the door of a node', () => {
  it('turns everybody away once the node leaves, and says what to do', async () => {
    const { door, counted } = setUp();
    door.closed = true;
    await expect(door.authorize(socket())).rejects.toMatchObject({
      message: 'This server is stopping, connect to another one',
      data: { code: 'SERVER_LEAVING' },
    });
    expect(counted['dmr_logins_refused_total{reason="SERVER_LEAVING"}']).toBe(1);
  });

  it('warns once a minute of each refusal, however many knock', async () => {
    const { door, counted, log } = setUp();
    for (let count = 0; count < 3000; count++) {
      await door.authorize(socket(`10.0.${count % 1500}`)).catch(() => undefined); // that it is refused is the point
    }
    // A thousand addresses are told apart, all others count as one.
    expect(log.at('warn')).toHaveLength(1001);
    expect(log.lines).toHaveLength(1001);
    expect(counted['dmr_logins_refused_total{reason="TOKEN_REFUSED"}']).toBe(3000);
  });

  it('says who claimed to knock: behind a balancer all have one address', async () => {
    const { door, log } = setUp();
    const [first, second] = [makeIdentity('Tax Office'), makeIdentity('Police')];
    const tokens = [first, second, first].map(({ id, privateKeyPem }) =>
      makeToken(id, createPrivateKey(privateKeyPem)),
    );
    for (const token of [...tokens, makeToken('no id\n', createPrivateKey(first.privateKeyPem))]) {
      await expect(door.authorize(socket('10.0.0.1', await token))).rejects.toMatchObject({
        data: { code: 'TOKEN_REFUSED' },
      });
    }
    const said = log.lines.map(({ context }) => (context as { agentId?: string }).agentId);
    expect(said).toEqual([first.id, second.id, undefined]);
  });
});
