import type { Command, Option } from './command';

/** The help of `dmr` itself. */
export function overview(commands: readonly Command[]): string {
  const rows = commands.map(({ name, summary }) => [name, summary] as const);
  return [
    'Usage: dmr <command> [options]\n',
    'Commands:',
    ...columns([...rows, ['help <command>', 'What a command does, its options and its exit codes']]),
    '\nOptions:',
    ...columns([
      ['--help', 'This text'],
      ['--version', 'The version of this package'],
    ]),
    '',
  ].join('\n');
}

/** The help of one command. */
export function helpOf({ name, summary, details, options }: Command): string {
  const rows = [...Object.entries(options).map(optionRow), ['--help', 'This text'] as const];
  return [`Usage: dmr ${name} [options]\n`, `${summary}.\n`, details.trim(), '\nOptions:', ...columns(rows), ''].join(
    '\n',
  );
}

function optionRow([name, { value, doc }]: [string, Option]): readonly [string, string] {
  return [value ? `--${name} ${value}` : `--${name}`, doc];
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
