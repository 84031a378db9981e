import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { ServiceBroker } from 'moleculer';
import { addHealth } from '../../../lib/mesh/health';
import { agentMetrics, serverMetrics } from '../../../lib/telemetry/definitions';
import { ownVersion } from '../../../lib/telemetry/version';
import { metricsOf, metricsService } from '../../../mixins/metrics.mixin';
import { version } from '../../../package.json';
import { Exposition } from '../../helpers/prometheus-text';

let broker: ServiceBroker;
const failures: string[] = [];

async function start(role: 'server' | 'agent' = 'server', metricsPort?: number) {
  const definitions = role === 'server' ? serverMetrics : agentMetrics;
  const config = { environment: 'development' as const, logger: {} as never, port: 0, metricsPort };
  broker = new ServiceBroker({ logger: false, metrics: { enabled: true, reporter: [] } });
  const service = broker.createService(metricsService(definitions, role, config));
  service.logger.error = (...args: unknown[]) => void failures.push(args.join(' '));
  await broker.start();
  return metricsOf(broker);
}

const read = async () => new Exposition(await broker.call<string, object>('metrics.text', {}));

beforeEach(() => void failures.splice(0));
afterEach(async () => {
  await broker.stop();
  expect(failures).toEqual([]);
});

describe('what /metrics shows', () => {
  it.each([
    ['server' as const, serverMetrics],
    ['agent' as const, agentMetrics],
  ])('of a %s has every metric with its type, beside those of the process and of Moleculer', async (role, defined) => {
    await start(role);
    const { families } = await read();
    for (const [name, { type }] of Object.entries(defined)) expect(families.get(name)?.type).toBe(type.toLowerCase());
    const ours = [...families.keys()].filter((name) => name.startsWith('dmr_'));
    expect(ours.sort()).toEqual(Object.keys(defined).sort());
    expect([...families.keys()]).toEqual(
      expect.arrayContaining(['process_resident_memory_bytes', 'nodejs_version_info', 'moleculer_nodes_total']),
    );
  });

  it('says which version runs, and as what', async () => {
    await start('agent');
    expect(ownVersion()).toBe(version);
    expect((await read()).value('dmr_build_info', { version, role: 'agent' })).toBe(1);
  });

  it('has no value for a gauge that nobody set: 0 would be wrong on a node that knows nothing of it', async () => {
    const metrics = await start();
    expect((await read()).value('dmr_centops_whole')).toBeUndefined();
    metrics.set('dmr_centops_whole', 0);
    expect((await read()).value('dmr_centops_whole')).toBe(0);
  });

  it('has each duration once in the buckets of its series, however often it is read', async () => {
    const metrics = await start();
    const name = 'dmr_message_processing_duration_seconds';
    const [up, down] = [{ event: 'up' }, { event: 'down' }];
    for (const seconds of [0.001, 0.01, 0.02, 7]) metrics.observe(name, seconds, up);
    metrics.observe(name, 0.3, down);
    await read();
    metrics.observe(name, 0.02, { event: 'up' });
    metrics.observe('dmr_socket_connection_duration_seconds', 4);
    const shown = await read();
    const bucket = (le: string, labels: Record<string, string>) => shown.value(`${name}_bucket`, { le, ...labels });
    expect(['0.01', '0.025', '5', '+Inf'].map((le) => bucket(le, up))).toEqual([2, 4, 4, 5]);
    expect(['0.25', '0.5', '+Inf'].map((le) => bucket(le, down))).toEqual([0, 1, 1]);
    expect(shown.value(`${name}_sum`, up)).toBeCloseTo(7.051);
    expect([up, down].map((labels) => shown.value(`${name}_count`, labels))).toEqual([5, 1]);
    expect(shown.value('dmr_socket_connection_duration_seconds_bucket', { le: '1' })).toBe(0);
    expect(shown.value('dmr_socket_connection_duration_seconds_count')).toBe(1);
    metrics.observe(name, 1, { odd: 'x' });
    await read();
    expect(failures.splice(0)).toEqual([expect.stringContaining(`${name} could not be updated`)]);
  });

  it('can be read with names from outside in it', async () => {
    const metrics = await start();
    const names = ['"} 1\ndmr_evil 1', 'a\\', '\\', '\\"', '\\n', 'x\r\ny', '{,=}', '', 'õ 🦊', '\u0000\u2028'];
    const agents = names.map((name) => ({ agent: randomUUID(), name }));
    metrics.listAgents(agents.map(({ agent }) => agent));
    metrics.replace(
      'dmr_agent_info',
      agents.map((labels) => [labels, 1]),
    );
    const { families } = await read();
    expect(families.has('dmr_evil')).toBe(false);
    const shown = families.get('dmr_agent_info')?.samples.map(({ labels }) => labels);
    expect(shown?.map(({ agent }) => agent)).toEqual(agents.map(({ agent }) => agent));
  });

  it('loses the series of an agent that left, and nothing else', async () => {
    const metrics = await start();
    const [stays, leaves] = [randomUUID(), randomUUID()];
    metrics.listAgents([stays, leaves]);
    const before = (await read()).series();
    const count = (agent: string) => {
      metrics.incFor(agent, 'dmr_messages_accepted_total');
      metrics.incFor(agent, 'dmr_messages_retried_total', { reason: 'NO_ACK' });
      metrics.incFor(agent, 'dmr_messages_retried_total', { reason: 'BAD_ACK' });
      metrics.set('dmr_queue_messages', 3, { agent });
    };
    count(stays);
    const alone = (await read()).series();
    expect(alone).toHaveLength(before.length + 4);
    count(leaves);
    expect((await read()).series()).toHaveLength(before.length + 8);
    metrics.listAgents([stays]);
    expect((await read()).series()).toEqual(alone);
    count(leaves);
    expect((await read()).series()).toEqual(alone);
    metrics.listAgents([stays, leaves]);
    count(leaves);
    expect((await read()).value('dmr_messages_accepted_total', { agent: leaves })).toBe(1);
  });

  it('goes on after a name, a label or a value that does not exist', async () => {
    const metrics = await start();
    metrics.inc('dmr_nothing_total');
    metrics.inc('dmr_messages_refused_total', { colour: 'red' });
    metrics.observe('dmr_message_latency_seconds', NaN);
    metrics.inc('dmr_messages_refused_total', { reason: 'UNKNOWN' });
    const shown = await read();
    expect(shown.value('dmr_messages_refused_total', { reason: 'UNKNOWN' })).toBe(1);
    expect(shown.samples('dmr_messages_refused_total')).toHaveLength(1);
    expect(failures.splice(0)).toEqual([
      expect.stringContaining('dmr_message_latency_seconds'),
      expect.stringContaining('dmr_messages_refused_total'),
    ]);
  });
});

describe('METRICS_PORT', () => {
  const portOf = () => {
    const { operations } = broker.getLocalService('metrics') as unknown as { operations: Server };
    return (operations.address() as AddressInfo).port;
  };
  const get = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${portOf()}${path}`, { method });

  it('serves metrics and health, and nothing else', async () => {
    await start('server', 0);
    expect(new Exposition(await (await get('/metrics?x=1')).text()).families.has('dmr_build_info')).toBe(true);
    for (const path of ['/v1/health', '/v1/health/live']) {
      const response = await get(path);
      expect({ status: response.status, body: (await response.json()) as unknown }).toMatchObject({
        status: 200,
        body: { status: 'ok' },
      });
    }
    for (const path of ['/', '/metrics/', '/v1/messages', '/socket.io/']) expect((await get(path)).status).toBe(404);
    for (const method of ['POST', 'OPTIONS', 'HEAD']) expect((await get('/metrics', method)).status).toBe(404);
  });

  it('answers 503 as soon as one part of the node does not work, or cannot be asked', async () => {
    await start('server', 0);
    let ok = true;
    addHealth(broker, () => ({ one: { ok: true } }));
    addHealth(broker, () => Promise.resolve({ two: { ok, more: 'x' } }));
    expect((await get('/v1/health')).status).toBe(200);
    ok = false;
    const response = await get('/v1/health');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      status: 'unavailable',
      parts: { one: { ok: true }, two: { ok: false, more: 'x' } },
    });
    ok = true;
    const end = addHealth(broker, () => Promise.reject(new Error('no answer')));
    expect((await get('/v1/health')).status).toBe(503);
    expect((await get('/v1/health/live')).status).toBe(200);
    end();
    expect((await get('/v1/health')).status).toBe(200);
  });

  it('does not hold up the end of the node: connections that stay open, silent or in the middle of a request', async () => {
    await start('server', 0);
    const port = portOf();
    const sockets = ['', 'GET /metrics HTTP/1.1\r\nHost: x\r\n', 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'].map(
      (text) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(text));
        socket.on('error', () => undefined).resume();
        return socket;
      },
    );
    const answered = once(sockets[2]!, 'data');
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    await answered;
    const closed = sockets.map((socket) => once(socket, 'close'));
    await broker.stop();
    await Promise.all(closed);
    await expect(fetch(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow();
  });

  it('that is taken keeps the node from starting', async () => {
    await start('server', 0);
    const [first, port] = [broker, portOf()];
    await expect(start('server', port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await first.stop();
  });
});
