/**
 * cel-go's `format`: `%s %d %f %e %x %X %o %b %%` with an optional precision, e.g. `'%.2f of %s'.format([1.5, ['a']])`.
 *
 * @throws {Error} when a clause and its argument do not fit
 */
export function formatText(pattern: string, values: readonly unknown[]): string {
  let next = 0;
  const text = pattern.replace(/%(\.\d+)?([a-zA-Z%])/g, (_all, precision: string | undefined, clause: string) => {
    if (clause === '%') return '%';
    if (next >= values.length) throw new Error(`index ${next} out of range`);
    const value = values[next++];
    const digits = precision === undefined ? 6 : Number(precision.slice(1));
    return formatValue(clause, value, digits);
  });
  return text;
}

function formatValue(clause: string, value: unknown, digits: number): string {
  switch (clause) {
    case 's':
      return show(value);
    case 'd':
      if (typeof value === 'bigint' || typeof value === 'number') return show(value);
      throw new Error('error during formatting: decimal clause can only be used on integers');
    case 'f':
      return Number(value).toFixed(digits);
    case 'e':
      return Number(value)
        .toExponential(digits)
        .replace(/e([+-])(\d)$/, 'e$10$2');
    case 'x':
    case 'X': {
      const hex = typeof value === 'string' ? Buffer.from(value).toString('hex') : BigInt(Number(value)).toString(16);
      return clause === 'x' ? hex : hex.toUpperCase();
    }
    case 'o':
      return BigInt(Number(value)).toString(8);
    case 'b':
      return typeof value === 'boolean' ? String(Number(value)) : BigInt(Number(value)).toString(2);
    default:
      throw new Error(`error during formatting: unrecognized formatting clause "${clause}"`);
  }
}

/** Texts inside lists and maps are quoted. */
const quoted = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : show(value));

/** A value as `%s` and string() show it: lists in brackets, maps with sorted keys. */
function show(value: unknown): string {
  if (value === null) return 'null';
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  if (Array.isArray(value)) return `[${value.map(quoted).join(', ')}]`;
  if (typeof value === 'object') {
    const source = 'source' in value ? (value.source as object) : value;
    const text = String(value);
    if (!text.startsWith('[object')) return text;
    const entries = Object.entries(source).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, item]) => `${quoted(key)}: ${quoted(item)}`).join(', ')}}`;
  }
  return String(value);
}
