import { once } from 'node:events';
import { connect } from 'node:net';
import { startCentOps, type CentOps } from '../helpers/centops';
import { eventually } from '../helpers/eventually';
import { makeIdentity } from '../helpers/keys';
import { startAgent, startServerNode, untilHealthy, type AgentNode, type ServerNode } from '../helpers/mesh';
import { Exposition } from '../helpers/prometheus-text';
import { useVhost } from '../helpers/rabbitmq';

const { amqp, management } = useVhost();
const police = makeIdentity('Police');
const tax = makeIdentity('Tax Office');
const METRICS_PORT = { METRICS_PORT: '0' };

let centOps: CentOps;
let gateway: ServerNode;
let manager: ServerNode;
let agent: AgentNode;

const health = async (url: string) => {
  const response = await fetch(`${url}/v1/health`);
  return { status: response.status, body: (await response.json()) as { parts: Record<string, { ok: boolean }> } };
};

beforeAll(async () => {
  centOps = await startCentOps([police, tax]);
  gateway = await startServerNode(amqp, centOps.url, {
    env: METRICS_PORT,
    only: ['gateway.io', 'metrics', 'config-sync'],
  });
  manager = await startServerNode(amqp, centOps.url, { env: METRICS_PORT, only: ['router', 'dlq-monitor', 'metrics'] });
  agent = await startAgent(police, gateway.url, 'http://127.0.0.1:1/messages', { env: METRICS_PORT });
});
afterAll(async () => {
  for (const node of [agent, manager, gateway]) await node?.stop();
  await centOps?.close();
});

describe('METRICS_PORT', () => {
  it.each([
    ['a server', () => gateway],
    ['an agent', () => agent],
  ])('takes the metrics of %s off its public port, and has health as well', async (_what, nodeOf) => {
    const { url, metricsUrl } = nodeOf();
    expect((await fetch(`${url}/metrics`)).status).toBe(404);
    const shown = await Exposition.of({ url: metricsUrl });
    expect(shown.families.has('dmr_socket_events_sent_total')).toBe(true);
    expect(await health(metricsUrl)).toEqual(await health(url));
    expect((await health(url)).status).toBe(200);
    for (const base of [url, metricsUrl]) expect((await fetch(`${base}/v1/health/live`)).status).toBe(200);
    for (const path of ['/v1/messages', '/socket.io/?EIO=4&transport=polling']) {
      expect((await fetch(metricsUrl + path)).status).toBe(404);
    }
  });

  it('gives a node without gateway.io its metrics and its health', async () => {
    expect(manager.url).toBe('');
    const { status, body } = await health(manager.metricsUrl);
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        status: 'ok',
        parts: {
          broker: { ok: true, publishing: true, consuming: true, administration: true, blocked: false },
          agents: { ok: true, known: 2 },
          mesh: { ok: true },
        },
      },
    });
    const shown = await Exposition.of({ url: manager.metricsUrl });
    expect(shown.value('dmr_broker_connected')).toBe(1);
    expect(shown.value('dmr_agent_info', { agent: police.id, name: police.name })).toBe(1);
    expect(shown.samples('dmr_agent_connected')).toEqual([]);
    // Of what it does not do it says nothing, and not 0.
    expect(shown.samples('dmr_socket_connections_active')).toEqual([]);
    expect(shown.samples('dmr_centops_sync_age_seconds')).toEqual([]);
  });

  it('shows when the broker of such a node is away', async () => {
    const parts = new Set<string>();
    let watching = true;
    const watch = (async () => {
      while (watching) {
        const { status, body } = await health(manager.metricsUrl);
        for (const [name, { ok }] of Object.entries(body.parts)) if (!ok && status === 503) parts.add(name);
      }
    })();
    try {
      await management.closeConnections(8);
      await eventually(() => parts.has('broker') && parts.has('mesh'));
    } finally {
      watching = false;
      await watch;
    }
    for (const { metricsUrl } of [manager, gateway]) await untilHealthy(metricsUrl);
  });

  it.each([
    ['a server', () => startServerNode(amqp, centOps.url, { env: METRICS_PORT })],
    ['an agent', () => startAgent(tax, gateway.url, 'http://127.0.0.1:1/messages', { env: METRICS_PORT })],
  ])('answers with the metrics of %s until its last service has stopped', async (_what, start) => {
    const node = await start();
    const { broker, url, metricsUrl } = node;
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const holding = jest.fn(() => held);
    broker.createService({ name: 'last', stopped: holding });
    const stopped = node.stop();
    await eventually(() => holding.mock.calls.length > 0);
    await eventually(() =>
      fetch(url).then(
        () => false,
        () => true,
      ),
    );
    const shown = await Exposition.of({ url: metricsUrl });
    expect(shown.value('process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(await health(metricsUrl)).toMatchObject({ status: 503, body: { parts: { leaving: { ok: false } } } });
    letGo();
    await stopped;
    await expect(fetch(metricsUrl)).rejects.toThrow();
  });

  it('lets a node stop although scrapers keep their connections', async () => {
    const node = await startServerNode(amqp, centOps.url, { env: METRICS_PORT, only: ['router', 'metrics'] });
    const port = Number(new URL(node.metricsUrl).port);
    const sockets = ['', 'GET /metrics HTTP/1.1\r\n'].map((text) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(text));
      return socket.on('error', () => undefined).resume();
    });
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    const closed = Promise.all(sockets.map((socket) => once(socket, 'close')));
    await node.stop();
    await closed;
  });
});
