import { COMMANDS } from '../../../lib/cli/commands';
import { ownVersion } from '../../../lib/telemetry/version';
import { runDmr } from '../../helpers/run-dmr';

describe('dmr', () => {
  it.each([['--help'], ['help']])('names every command with %s', async (word) => {
    const { code, out, err } = await runDmr([word]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const { name, summary } of COMMANDS) expect(out).toMatch(new RegExp(`  ${name} +${summary}\n`));
  });

  it('says its version', async () => {
    expect(await runDmr(['--version'])).toEqual({ code: 0, out: `${ownVersion()}\n`, err: '' });
  });

  it.each(COMMANDS.map((command) => [command.name, command] as const))('explains %s', async (name, { options }) => {
    const asked = await runDmr(['help', ...name.split(' ')]);
    expect(asked).toEqual(await runDmr([...name.split(' '), '--help']));
    expect(asked.code).toBe(0);
    for (const option of Object.keys(options)) expect(asked.out).toContain(`--${option} `);
    expect(asked.out).toContain('Exit codes: 0 ');
  });

  it('keeps its help within what a terminal shows', async () => {
    const texts = await Promise.all(COMMANDS.map(({ name }) => runDmr(['help', ...name.split(' ')])));
    const longest = Math.max(...texts.flatMap(({ out }) => out.split('\n').map((line) => line.length)));
    expect(longest).toBeLessThanOrEqual(120);
  });

  it.each([
    [[], 'a command is missing'],
    [['keyge'], 'unknown command "keyge"'],
    [['keys'], 'unknown command "keys"'],
    [['--verbose'], 'unknown option --verbose'],
    [['help', 'nothing'], 'unknown command "nothing"'],
    [['keygen', '--size', '2048'], "Unknown option '--size'"],
    [['keygen', 'here.pem'], "Unexpected argument 'here.pem'"],
    [['keygen', '--out'], "Option '--out <value>' argument missing"],
    [['keygen', '--json=yes'], "Option '--json' does not take an argument"],
    [['keygen', '--bits', '1024'], '--bits wants one of 2048, 3072, 4096'],
    [['keygen', '--id', 'police'], '--id wants a UUID'],
    [['keygen', '--id', '8d3c0a51-6a2e-4d0b-9f63-2b1e5c7a9d10', '--new-id'], '--id and --new-id exclude each other'],
  ])('refuses %j as wrong usage', async (args, why) => {
    const { code, out, err } = await runDmr(args);
    expect({ code, out }).toEqual({ code: 64, out: '' });
    expect(err).toContain(`dmr: ${why}`);
    expect(err).toContain('Try: dmr help\n');
  });
});
