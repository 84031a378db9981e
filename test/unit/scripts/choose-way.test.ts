import { chooseWay } from '../../../scripts/lib/broker/provide-broker';
import type { Probes } from '../../../scripts/lib/broker/provide-broker';
import type { Command } from '../../../scripts/lib/broker/types';

const installed = { server: '/usr/lib/rabbitmq/bin/rabbitmq-server', epmd: '/usr/bin/epmd' };
const command: Command = ['sh', 'install.sh'];

/** A machine that offers everything, less what a test takes away; notes what it was asked. */
function machine(offers: Partial<Probes>) {
  const asked: string[] = [];
  const all: Probes = {
    configured: () => true,
    installed: () => installed,
    docker: () => Promise.resolve(true),
    install: () => Promise.resolve(command),
    ...offers,
  };
  const noted = Object.entries(all).map(([name, probe]) => [
    name,
    () => (asked.push(name), (probe as () => unknown)()),
  ]);
  return { asked, probes: Object.fromEntries(noted) as Probes };
}

const no = { configured: () => false, installed: () => undefined, docker: () => Promise.resolve(false) };

describe('chooseWay', () => {
  it('takes the configured broker before all else and asks for nothing more', async () => {
    const { asked, probes } = machine({});
    await expect(chooseWay(probes)).resolves.toEqual({ kind: 'configured' });
    expect(asked).toEqual(['configured']);
  });

  it('takes an installed RabbitMQ before Docker', async () => {
    const { asked, probes } = machine({ configured: no.configured });
    await expect(chooseWay(probes)).resolves.toEqual({ kind: 'private', installed });
    expect(asked).toEqual(['configured', 'installed']);
  });

  it('takes Docker before it installs anything', async () => {
    const { asked, probes } = machine({ configured: no.configured, installed: no.installed });
    await expect(chooseWay(probes)).resolves.toEqual({ kind: 'docker' });
    expect(asked).toEqual(['configured', 'installed', 'docker']);
  });

  it('installs when there is nothing else', async () => {
    await expect(chooseWay(machine(no).probes)).resolves.toEqual({ kind: 'install', command });
  });

  it('says what to do when there is no way', async () => {
    const { probes } = machine({ ...no, install: () => Promise.resolve(undefined) });
    await expect(chooseWay(probes)).rejects.toThrow(/install RabbitMQ[^]*start Docker[^]*RABBITMQ_DEFAULT_HOST/);
  });
});
