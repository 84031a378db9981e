import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startCluster, type Cluster } from '../../scripts/lib/broker/cluster';
import { freePorts } from '../../scripts/lib/broker/free-ports';
import { makeCertificateFiles } from '../helpers/certificates';
import { startCentOps, type CentOps } from '../helpers/centops';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { NodeProcess, serverEnv } from '../helpers/processes';
import { testAmqp } from '../helpers/rabbitmq';

jest.setTimeout(60_000);

const SERVICES = ['server'];

/** A broker of its own, which asks its clients for a certificate; nodes are processes: Node reads its CAs at the start. */
describe('RabbitMQ over TLS', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'dmr-tls-'));
  const { ca, server, client } = makeCertificateFiles(dir);
  let cluster: Cluster;
  let centOps: CentOps;
  let port: number;
  const nodes: NodeProcess[] = [];

  beforeAll(async () => {
    [port] = (await freePorts(1)) as [number];
    const conf = [
      `listeners.ssl.default = 127.0.0.1:${port}`,
      `ssl_options.cacertfile = ${ca.certFile}`,
      `ssl_options.certfile = ${server.certFile}`,
      `ssl_options.keyfile = ${server.keyFile}`,
      'ssl_options.verify = verify_peer',
      'ssl_options.fail_if_no_peer_cert = true',
    ];
    [cluster, centOps] = await Promise.all([startCluster({ nodes: 1, conf }), startCentOps([makeIdentity('Police')])]);
  });

  afterAll(async () => {
    for (const node of nodes) node.kill();
    await cluster?.stop();
    await centOps?.close();
    rmSync(dir, { recursive: true });
  });

  async function start(changes: NodeJS.ProcessEnv, healthy: boolean): Promise<NodeProcess> {
    const env = {
      ...serverEnv(testAmqp({ ...cluster.amqp, host: 'localhost', port }), centOps.url),
      RABBITMQ_DEFAULT_TLS: 'true',
      RABBITMQ_DEFAULT_TLS_CERT_FILE: client.certFile,
      RABBITMQ_DEFAULT_TLS_KEY_FILE: client.keyFile,
      NODE_EXTRA_CA_CERTS: ca.certFile,
      ...changes,
    };
    const node = await NodeProcess.start('server', SERVICES, env, { healthy });
    nodes.push(node);
    return node;
  }

  it('is spoken by the router and by the transporter', async () => {
    const node = await start({}, true);
    const health: unknown = await (await fetch(`${node.url}/v1/health`)).json();
    expect(health).toMatchObject({ parts: { broker: { ok: true }, mesh: { ok: true } } });
    const ssl = await cluster.nodes[0]?.ctl('list_connections', '--silent', 'ssl', 'state');
    expect(ssl?.trim().split('\n').slice(-4)).toEqual(Array(4).fill('true\trunning'));
  });

  it.each([
    ['with a CA that nobody named', { NODE_EXTRA_CA_CERTS: '' }, /(unable to verify|self-signed|unable to get)/],
    ['with the certificate of another host', { RABBITMQ_DEFAULT_HOST: '127.0.0.1' }, /does not match certificate/],
  ])('is refused %s, by the router and by the transporter', async (_which, changes, reason) => {
    const node = await start(changes, false);
    const lines = () => node.output.split('\n').filter((line) => reason.test(line));
    await eventually(() => lines().some((line) => line.includes('cannot be reached')), { timeoutMs: 20_000 });
    await eventually(() => lines().some((line) => line.includes('Connection is failed')));
    const health = await eventually(() => fetch(`${node.url}/v1/health`)); // its port opens without the mesh, after 3 s
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({ parts: { broker: { ok: false }, mesh: { ok: false } } });
  });

  it('is refused by the broker to a node without a certificate', async () => {
    const node = await start({ RABBITMQ_DEFAULT_TLS_CERT_FILE: '', RABBITMQ_DEFAULT_TLS_KEY_FILE: '' }, false);
    await eventually(() => node.output.includes('cannot be reached'), { timeoutMs: 20_000 });
    expect((await eventually(() => fetch(`${node.url}/v1/health`))).status).toBe(503);
  });

  it('does not start in production with the verification off', async () => {
    const node = await start({ ENVIRONMENT: 'production', NODE_TLS_REJECT_UNAUTHORIZED: '0' }, false);
    expect(await node.ended()).toBe(78);
    expect(node.output.split('\n').filter((line) => line.includes('NODE_TLS_REJECT_UNAUTHORIZED: wants'))).toHaveLength(
      1,
    );
  });
});
