import { type Manifest, nameOf } from '@shoto/bundle';

/** How one object differs. */
export interface Change {
  object: string;
  change: 'added' | 'removed' | 'changed';
  /** Lines such as `~ spec.replicas: 1 -> 2`. */
  fields: string[];
}

/** What a server fills in, and nobody writes. */
const OWN_OF_SERVER = new Set([
  'managedFields',
  'resourceVersion',
  'uid',
  'generation',
  'creationTimestamp',
  'selfLink',
]);

type Value = unknown;
const isMap = (v: Value): v is Record<string, Value> => typeof v === 'object' && v !== null && !Array.isArray(v);

function shown(v: Value): string {
  const text = JSON.stringify(v);
  if (typeof v === 'string' && v.includes('\n')) return `(text of ${v.split('\n').length} lines)`;
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}

/** A list of things with names is compared by name, so that one more in the middle is one more. */
function keysOf(list: Value[]): string[] | undefined {
  const names = list.map((v) => (isMap(v) && typeof v.name === 'string' ? v.name : undefined));
  return names.every((n) => n !== undefined) && new Set(names).size === names.length ? names : undefined;
}

function compare(before: Value, after: Value, path: string, say: (line: string) => void): void {
  if (JSON.stringify(before) === JSON.stringify(after)) return;
  if (before === undefined) say(`+ ${path}: ${shown(after)}`);
  else if (after === undefined) say(`- ${path}: ${shown(before)}`);
  else if (isMap(before) && isMap(after)) {
    for (const key of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
      const at = /^[\w-]+$/.test(key) ? `${path ? `${path}.` : ''}${key}` : `${path}[${JSON.stringify(key)}]`;
      compare(before[key], after[key], at, say);
    }
  } else if (Array.isArray(before) && Array.isArray(after)) compareLists(before, after, path, say);
  else say(`~ ${path}: ${shown(before)} -> ${shown(after)}`);
}

function compareLists(before: Value[], after: Value[], path: string, say: (line: string) => void): void {
  const [was, is] = [keysOf(before), keysOf(after)];
  if (was && is)
    for (const name of new Set([...was, ...is]))
      compare(before[was.indexOf(name)], after[is.indexOf(name)], `${path}[${name}]`, say);
  else
    for (let i = 0; i < Math.max(before.length, after.length); i++) compare(before[i], after[i], `${path}[${i}]`, say);
}

/** Without what the server fills in. */
function bare(o: object): Record<string, Value> {
  const { metadata, status: _, ...rest } = o as Manifest & { status?: unknown };
  const kept = Object.entries(metadata).filter(([key]) => !OWN_OF_SERVER.has(key));
  return { ...rest, metadata: Object.fromEntries(kept) };
}

/** How an object differs from what it was. Contents of Secrets are never said. @returns undefined where it does not */
export function changeOf(before: object | undefined, after: object | undefined): Change | undefined {
  const object = nameOf((after ?? before) as Manifest);
  if (!before) return { object, change: 'added', fields: [] };
  if (!after) return { object, change: 'removed', fields: [] };
  const hide = (after as Manifest).kind === 'Secret';
  const fields: string[] = [];
  compare(bare(before), bare(after), '', (line) => {
    const isContent = hide && /^. (data|stringData)\b/.test(line);
    fields.push(isContent ? `${line.slice(0, line.indexOf(':'))}: (secret)` : line);
  });
  return fields.length > 0 ? { object, change: 'changed', fields } : undefined;
}

/** As people read it. */
export function changeText(c: Change): string {
  const mark = { added: '+', removed: '-', changed: '~' }[c.change];
  return [`${mark} ${c.object}`, ...c.fields.map((f) => `    ${f}`)].join('\n');
}
