import { stringify } from 'yaml';
import { CliError, EXIT } from '../errors.ts';
import type { Shown } from './kinds.ts';
import { table } from './table.ts';

/** Forms of output, as `-o` has them. */
export const FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type Format = (typeof FORMATS)[number];

/** @throws {CliError} naming the forms that there are */
export function formatOf(text: string | undefined): Format {
  const format = (text ?? 'table') as Format;
  if (!FORMATS.includes(format)) throw new CliError(EXIT.usage, `-o ${text}: choose one of ${FORMATS.join(', ')}`);
  return format;
}

/** Objects in a form; one object alone is printed as itself in json and yaml, several as a list. */
export function show<T extends { metadata: { name: string } }>(
  items: T[],
  shown: Shown<T>,
  format: Format,
  now: number,
  single = false,
): string {
  const whole = single ? items[0] : { apiVersion: 'v1', kind: 'List', items };
  switch (format) {
    case 'json':
      return JSON.stringify(whole, null, 2);
    case 'yaml':
      return stringify(whole).trimEnd();
    case 'name':
      return items.map((i) => `${shown.names[1]}/${i.metadata.name}`).join('\n');
    case 'table':
    case 'wide': {
      const columns = shown.columns.filter((c) => !c.wide || format === 'wide');
      return table(
        columns.map((c) => c.head),
        items.map((i) => columns.map((c) => c.cell(i, now))),
      );
    }
    default:
      return format satisfies never;
  }
}
