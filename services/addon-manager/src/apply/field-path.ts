/** One step of a path as server-side apply writes it: a key, the item of a list by its keys, a value of a set, an index. */
type Step = { key: string } | { item: Record<string, unknown> } | { value: unknown } | { index: number };

/**
 * Reads a path as it stands in a conflict: `.spec.template.spec.containers[name="x"].image`, `.spec.ports[port=80,protocol="TCP"]`,
 * `.metadata.finalizers[="a"]`, `.metadata.labels.app.kubernetes.io/name` (a key with dots is not told apart: see {@link removePath}).
 */
export function stepsOf(path: string): Step[] {
  const steps: Step[] = [];
  let rest = path;
  while (rest !== '') {
    if (rest.startsWith('[')) {
      const end = closing(rest);
      const inside = rest.slice(1, end);
      steps.push(bracket(inside));
      rest = rest.slice(end + 1);
      continue;
    }
    const text = rest.replace(/^\./, '');
    const end = text.search(/[.[]/);
    const key = end < 0 ? text : text.slice(0, end);
    steps.push({ key });
    rest = end < 0 ? '' : text.slice(end);
  }
  return steps;
}

/** Where a bracket that the text begins with ends; brackets in quotes do not count. */
function closing(text: string): number {
  let quoted = false;
  for (let i = 1; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '"') quoted = !quoted;
    else if (text[i] === ']' && !quoted) return i;
  }
  return text.length;
}

function bracket(inside: string): Step {
  if (/^[0-9]+$/.test(inside)) return { index: Number(inside) };
  if (inside.startsWith('=')) return { value: json(inside.slice(1)) };
  const item: Record<string, unknown> = {};
  for (const [, name, value] of inside.matchAll(/([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^,]*)/g))
    item[name!] = json(value!);
  return { item };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Takes a field out of a copy of an object, and leaves it where nothing of that path is there. A key that holds dots
 * (`app.kubernetes.io/name`) is found by joining steps.
 */
export function removePath<T>(object: T, path: string): T {
  const copy = structuredClone(object);
  remove(copy, stepsOf(path));
  return copy;
}

function remove(at: unknown, steps: Step[]): void {
  const [step, ...rest] = steps;
  if (!step || typeof at !== 'object' || at === null) return;
  if ('key' in step) {
    const holder = at as Record<string, unknown>;
    let name = step.key;
    let after = rest;
    // Keys with dots come as several steps: the longest that is there is meant.
    for (let n = steps.length; n > 1; n--) {
      const parts = steps.slice(0, n);
      if (!parts.every((p) => 'key' in p)) continue;
      const joined = parts.map((p) => (p as { key: string }).key).join('.');
      if (joined in holder) {
        name = joined;
        after = steps.slice(n);
        break;
      }
    }
    if (!(name in holder)) return;
    if (after.length === 0) delete holder[name];
    else remove(holder[name], after);
    return;
  }
  if (!Array.isArray(at)) return;
  const index =
    'index' in step
      ? step.index
      : 'value' in step
        ? at.indexOf(step.value)
        : at.findIndex((i) => Object.entries(step.item).every(([k, v]) => (i as Record<string, unknown>)?.[k] === v));
  if (index < 0 || index >= at.length) return;
  if (rest.length === 0) at.splice(index, 1);
  else remove(at[index], rest);
}

/** A path of server-side apply as a JSON pointer, for people: items by their keys. */
export const asPointer = (path: string): string =>
  stepsOf(path)
    .map((s) => {
      if ('key' in s) return s.key;
      if ('index' in s) return String(s.index);
      if ('value' in s) return String(s.value);
      return Object.values(s.item).join(',');
    })
    .map((s) => `/${s.replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');
