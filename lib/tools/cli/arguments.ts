/** Argument parsing and error printing that every command shares. */
import { parseArgs } from 'node:util';
import { UserError } from '../../util/errors';

export interface Option {
  type: 'string' | 'boolean';
  help: string;
  /** One letter: `-n`. */
  short?: string;
  /** Shown in the help and returned when the flag is absent (strings only). */
  default?: string;
}

export interface Usage<S extends Record<string, Option>> {
  command: string;
  summary: string;
  /** How positionals are written in the help, e.g. `[EXPERIMENT...]`; without it the command takes none. */
  positionals?: string;
  options: S;
}

export type Values<S extends Record<string, Option>> = {
  [K in keyof S]?: S[K]['type'] extends 'boolean' ? boolean : string;
};

type Specs = Record<string, Option>;

const HELP = { help: { type: 'boolean', help: 'print this and stop', short: 'h' } } as const;

/** The help: one line on use, one on purpose, one per flag. */
export function helpText(usage: Usage<Specs>): string {
  const rows = Object.entries<Option>({ ...usage.options, ...HELP }).map(
    ([name, o]) =>
      [
        `${o.short ? `-${o.short}, ` : '    '}--${name}${o.type === 'string' ? ' VALUE' : ''}`,
        o.help + (o.default === undefined ? '' : ` (default: ${o.default})`),
      ] as const,
  );
  const width = Math.max(...rows.map(([flag]) => flag.length));
  const line = ['npm run', usage.command, '--', usage.positionals, '[flags]'].filter(Boolean).join(' ');
  return [
    `Usage: ${line}`,
    usage.summary,
    '',
    ...rows.map(([flag, help]) => `  ${flag.padEnd(width)}  ${help}`),
  ].join('\n');
}

/**
 * Parses a command's arguments; `--help` prints the help and ends the process with 0.
 * Trap: values are texts; turn them into numbers with `wholeNumber`, into choices with `oneOf`.
 */
export function parse<S extends Specs>(
  usage: Usage<S>,
  argv: string[],
): { values: Values<S>; positionals: string[] } {
  const options: Specs = { ...usage.options, ...HELP };
  const known = Object.keys(options).map((name) => `--${name}`);
  const refuse = (problem: string): never => {
    throw new UserError(`${problem}; known: ${known.join(', ')}`);
  };
  try {
    const allowPositionals = usage.positionals !== undefined;
    const { values, positionals } = parseArgs({ args: argv, options, strict: true, allowPositionals });
    if (values.help) {
      console.log(helpText(usage));
      process.exit(0);
    }
    for (const [name, value] of Object.entries(values))
      if (value === '') refuse(`Option '--${name} <value>' argument missing`);
    return { values: { ...values } as Values<S>, positionals };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Node's message continues with advice that fills lines; its first sentence says what is wrong.
    if (code?.startsWith('ERR_PARSE_ARGS')) return refuse(message.split(/\.\s/)[0]!);
    throw error;
  }
}

/** Parses a number of tokens, `900000`, `900k`, `9M` or `1.5B`, or throws a UserError. */
export function numberOfTokens(what: string, value: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([kMB]?)$/.exec(value) ?? [];
  const exact = Number(digits) * { '': 1, k: 1e3, M: 1e6, B: 1e9 }[unit as '' | 'k' | 'M' | 'B'];
  const tokens = Math.round(exact);
  if (tokens >= 1 && Math.abs(exact - tokens) < 1e-6) return tokens;
  throw new UserError(`${what}: expected a number of tokens, such as 900000, 900k or 9M; got "${value}"`);
}

/** Codes of errors that are the disk's. */
const UNWRITABLE = ['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS'];

/** What `main` prints for an error: the message of one that the user can fix, any other error's stack. */
export function errorText(command: string, error: unknown): string {
  if (error instanceof UserError) return `${command}: ${error.message}`;
  const { code = '', message, stack } = error as NodeJS.ErrnoException;
  return UNWRITABLE.includes(code)
    ? `${command}: expected to write; ${message}: free the disk or make the file writable, then run the same command again`
    : `${command}: ${stack ?? String(error)}`;
}

/** Exit code of a program whose output nobody reads any more, as shells know it. */
const BROKEN_PIPE = 141;

/** Runs a command's body; an error is printed on stderr and makes the exit code 1. */
export function main(command: string, body: (argv: string[]) => Promise<void> | void): void {
  const fail = (error: unknown) => {
    console.error(errorText(command, error));
    process.exit(1);
  };
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EPIPE' ? process.exit(BROKEN_PIPE) : fail(error),
    );
  Promise.resolve()
    .then(() => body(process.argv.slice(2)))
    .catch(fail);
}
