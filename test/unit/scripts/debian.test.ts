import { installCommand, installServer, probeRoot } from '../../../scripts/lib/broker/debian';
import type { RunCommand } from '../../../scripts/lib/run-command';

const ending = (code: number, stderr = '') =>
  jest.fn<ReturnType<RunCommand>, Parameters<RunCommand>>(() => Promise.resolve({ code, stdout: '', stderr }));
const script = expect.stringMatching(/install-debian\.sh$/) as string;

describe('installCommand', () => {
  it.each([true, false])('runs the script itself as root (interactive: %s)', (interactive) => {
    expect(installCommand('root', interactive)).toEqual(['sh', script]);
  });

  it.each([true, false])('takes a sudo that needs no password (interactive: %s)', (interactive) => {
    expect(installCommand('sudo', interactive)).toEqual(['sudo', '-n', 'sh', script]);
  });

  it('lets sudo ask for a password only on a terminal', () => {
    expect(installCommand('sudo-asks', true)).toEqual(['sudo', 'sh', script]);
    expect(installCommand('sudo-asks', false)).toBeUndefined();
  });

  it('is not possible without root', () => {
    expect(installCommand('none', true)).toBeUndefined();
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

describe('installServer', () => {
  it('says what it is about to do', async () => {
    const said: string[] = [];
    await installServer(['sh', 'x'], (line) => said.push(line), ending(0));
    expect(said).toEqual([expect.stringContaining('rabbitmq-server')]);
  });

  it("fails with the end of apt's output", async () => {
    const run = ending(100, 'E: Unable to locate package rabbitmq-server\n');
    const failed = installServer(['sh', 'x'], () => {}, run);
    await expect(failed).rejects.toThrow(/"sh x" ended with 100.\nE: Unable to locate/);
  });
});
