import { findServer } from '../../../scripts/lib/broker/find-server';

const having =
  (...files: string[]) =>
  (file: string) =>
    files.includes(file);

describe('findServer', () => {
  it("prefers what Debian's wrapper wraps to the wrapper on PATH", () => {
    const machine = having('/usr/sbin/rabbitmq-server', '/usr/lib/rabbitmq/bin/rabbitmq-server', '/usr/bin/epmd');
    expect(findServer('/usr/sbin:/usr/bin', machine)).toEqual({
      server: '/usr/lib/rabbitmq/bin/rabbitmq-server',
      epmd: '/usr/bin/epmd',
    });
  });

  it('finds one on PATH', () => {
    const machine = having('/opt/rabbit/sbin/rabbitmq-server', '/opt/erlang/bin/epmd');
    expect(findServer('/opt/erlang/bin::/opt/rabbit/sbin', machine)).toEqual({
      server: '/opt/rabbit/sbin/rabbitmq-server',
      epmd: '/opt/erlang/bin/epmd',
    });
  });

  it("finds Homebrew's although it is not on PATH", () => {
    const machine = having('/opt/homebrew/sbin/rabbitmq-server', '/opt/homebrew/bin/epmd');
    expect(findServer('', machine)?.server).toBe('/opt/homebrew/sbin/rabbitmq-server');
  });

  it('wants both programs', () => {
    expect(findServer('/usr/bin', having('/usr/bin/epmd'))).toBeUndefined();
    expect(findServer('/usr/bin', having('/usr/bin/rabbitmq-server'))).toBeUndefined();
  });
});
