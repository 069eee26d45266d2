#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { CliError, EXIT } from './errors.ts';
import { run } from './program.ts';

const screen = (stream: NodeJS.WriteStream) => ({
  isTTY: stream.isTTY ?? false,
  write: (text: string) => void stream.write(text),
  get columns() {
    return stream.columns || 120;
  },
  get rows() {
    return stream.rows || 24;
  },
});
// A reader that goes away (| head) is no error of ours.
process.stdout.on('error', (e: NodeJS.ErrnoException) => {
  if (e.code === 'EPIPE') process.exit(0);
});
async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}
process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  out: screen(process.stdout),
  err: screen(process.stderr),
  now: () => Date.now(),
  ...(process.stdin.isTTY ? { confirm } : {}),
  read: (file) => {
    try {
      return readFileSync(file === '-' ? 0 : file, 'utf8');
    } catch (e) {
      throw new CliError(EXIT.usage, `${file} cannot be read: ${(e as Error).message}`);
    }
  },
});
