import { spawnSync } from 'node:child_process';
import { install, installCommand, installPackage, probeRoot } from '../../../scripts/lib/debian';
import type { RunCommand } from '../../../scripts/lib/run-command';

const ending = (code: number, stderr = '') =>
  jest.fn<ReturnType<RunCommand>, Parameters<RunCommand>>(() => Promise.resolve({ code, stdout: '', stderr }));
const script = expect.stringMatching(/install-debian\.sh$/) as string;

describe('installCommand', () => {
  it.each([true, false])('runs the script itself as root (interactive: %s)', (interactive) => {
    expect(installCommand('root', interactive, 'prometheus')).toEqual(['sh', script, 'prometheus']);
  });

  it.each([true, false])('takes a sudo that needs no password (interactive: %s)', (interactive) => {
    const command = installCommand('sudo', interactive, 'prometheus');
    expect(command).toEqual(['sudo', '-n', 'sh', script, 'prometheus']);
  });

  it('lets sudo ask for a password only on a terminal', () => {
    const command = installCommand('sudo-asks', true, 'rabbitmq-server');
    expect(command).toEqual(['sudo', 'sh', script, 'rabbitmq-server']);
    expect(installCommand('sudo-asks', false, 'rabbitmq-server')).toBeUndefined();
  });

  it('is not possible without root', () => {
    expect(installCommand('none', true, 'rabbitmq-server')).toBeUndefined();
  });
});

describe('probeRoot', () => {
  it('does not ask sudo as root', async () => {
    const run = ending(0);
    await expect(probeRoot(0, run)).resolves.toBe('root');
    expect(run).not.toHaveBeenCalled();
  });

  it.each([
    [0, 'sudo'],
    [1, 'sudo-asks'],
    [127, 'none'],
  ])('reads "sudo -n true" ending with %i as %s', async (code, root) => {
    const run = ending(code);
    await expect(probeRoot(1000, run)).resolves.toBe(root);
    expect(run.mock.calls[0]?.[0]).toEqual(['sudo', '-n', 'true']);
  });
});

describe('installPackage', () => {
  it('says what it is about to do', async () => {
    const said: string[] = [];
    await installPackage('prometheus', ['sh', 'x'], (line) => said.push(line), ending(0));
    expect(said).toEqual([expect.stringContaining('prometheus')]);
  });

  it("fails with the end of apt's output", async () => {
    const run = ending(100, 'E: Unable to locate package rabbitmq-server\n');
    const failed = installPackage('rabbitmq-server', ['sh', 'x'], () => {}, run);
    await expect(failed).rejects.toThrow(
      /^rabbitmq-server could not be installed: "sh x" ended with 100.\nE: Unable to locate/,
    );
  });
});

describe('install', () => {
  it('runs apt for one package at a time', async () => {
    const order: string[] = [];
    const options = { interactive: false, say: (line: string) => order.push(/package (\S+)/.exec(line)?.[1] ?? '') };
    const first = install('rabbitmq-server', ['sh', '-c', 'sleep 0.2'], options).then(() => order.push('done'));
    await Promise.all([first, install('prometheus', ['true'], options)]);
    expect(order).toEqual(['rabbitmq-server', 'done', 'prometheus']);
  });
});

describe('install-debian.sh', () => {
  it('refuses a package whose services it does not know', () => {
    const { status, stderr } = spawnSync('sh', ['scripts/lib/install-debian.sh', 'nginx'], { encoding: 'utf8' });
    expect(status).toBe(64);
    expect(stderr).toContain('"nginx"');
  });
});
