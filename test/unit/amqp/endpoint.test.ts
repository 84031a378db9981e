import { protocolOf, rotated, socketOptions } from '../../../lib/amqp/endpoint';

afterEach(() => void jest.restoreAllMocks());

describe('hosts', () => {
  const hosts = ['a', 'b', 'c'].map((host) => ({ host, port: 1 }));
  const names = () =>
    rotated(hosts)
      .map(({ host }) => host)
      .join('');

  it.each([
    [0, 'abc'],
    [0.34, 'bca'],
    [1 - Number.EPSILON, 'cab'],
  ])('start at a random one: %d gives %s', (drawn, order) => {
    jest.spyOn(Math, 'random').mockReturnValue(drawn);
    expect(names()).toBe(order);
  });
});

describe('TLS', () => {
  it('never brings a switch for the verification of certificates', () => {
    expect(protocolOf({ tls: undefined })).toBe('amqp');
    expect(protocolOf({ tls: {} })).toBe('amqps');
    expect(socketOptions({ tls: { cert: 'c', key: 'k' } })).toEqual({
      noDelay: true,
      keepAlive: true,
      timeout: 5000,
      cert: 'c',
      key: 'k',
    });
  });
});
