import type { ServiceBroker } from 'moleculer';
import { meshConnected, nodesWith } from '../../../lib/mesh/nodes';

describe('nodesWith', () => {
  const node = (id: string, ...services: string[]) => ({ id, services: services.map((name) => ({ name })) });
  const getNodeList = jest.fn(() => [node('c', 'router', 'gateway.io'), node('a', 'gateway.io'), node('b', 'router')]);
  const broker = { registry: { getNodeList } } as unknown as ServiceBroker;

  it('is sorted, so that every node sees the same first one', () => {
    expect(nodesWith(broker, 'gateway.io')).toEqual(['a', 'c']);
    expect(nodesWith(broker, 'router')).toEqual(['b', 'c']);
  });

  it('is empty when no live node has the service', () => {
    expect(nodesWith(broker, 'gateway')).toEqual([]);
    expect(getNodeList).toHaveBeenCalledWith({ onlyAvailable: true, withServices: true });
  });
});

describe('meshConnected', () => {
  const connected = (transit: object | undefined) => meshConnected({ transit } as unknown as ServiceBroker);

  it('is true with a connection and a channel', () => {
    expect(connected({ connected: true, tx: { connected: true, channel: {} } })).toBe(true);
  });

  it.each([
    ['the mesh was never joined', { connected: false, tx: { connected: true, channel: {} } }],
    ['the connection is lost', { connected: true, tx: { connected: false, channel: {} } }],
    ['the channel is lost', { connected: true, tx: { connected: true, channel: null } }],
  ])('is false when %s', (_what, transit) => {
    expect(connected(transit)).toBe(false);
  });

  it('is true for a node without others to speak to', () => {
    expect(connected(undefined)).toBe(true);
  });
});
