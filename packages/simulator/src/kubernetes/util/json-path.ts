import { isRecord } from './json.ts';

type Step =
  | { kind: 'key'; key: string }
  | { kind: 'index'; index: number }
  | { kind: 'all' }
  | { kind: 'filter'; path: string[]; operator: string; value: unknown };

const cache = new Map<string, Step[]>();

function parse(path: string): Step[] {
  const known = cache.get(path);
  if (known) return known;
  const steps: Step[] = [];
  const token =
    /\.([A-Za-z0-9_$-]+|\*)|\[(\d+|-\d+)\]|\[\*\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]|\[\?\(@((?:\.[A-Za-z0-9_-]+)+)\s*(==|!=|<=|>=|<|>)\s*(?:"([^"]*)"|'([^']*)'|([^)]+))\)\]/gy;
  // `.metadata.annotations.example\.com/name` escapes dots in a key.
  const source = path.replaceAll(
    /\.((?:[^.[\]\\]|\\.)*\\.(?:[^.[\]\\]|\\.)*)/g,
    (_, key: string) => `['${key.replaceAll('\\', '')}']`,
  );
  for (let m = token.exec(source); m !== null; m = token.exec(source)) {
    if (m[5] !== undefined) {
      const raw = m[7] ?? m[8];
      const bare = m[9]?.trim();
      steps.push({
        kind: 'filter',
        path: m[5].split('.').slice(1),
        operator: m[6] as string,
        value: raw ?? (bare === 'true' ? true : bare === 'false' ? false : Number(bare)),
      });
    } else if (m[0] === '[*]' || m[1] === '*') steps.push({ kind: 'all' });
    else if (m[2] !== undefined) steps.push({ kind: 'index', index: Number(m[2]) });
    else steps.push({ kind: 'key', key: m[1] ?? m[3] ?? m[4] ?? '' });
    if (token.lastIndex === source.length) break;
  }
  if (cache.size > 2000) cache.clear();
  cache.set(path, steps);
  return steps;
}

function holds(item: unknown, step: Extract<Step, { kind: 'filter' }>): boolean {
  let have = item;
  for (const key of step.path) have = isRecord(have) ? have[key] : undefined;
  switch (step.operator) {
    case '==':
      return have === step.value;
    case '!=':
      return have !== step.value;
    case '<':
      return (have as number) < (step.value as number);
    case '>':
      return (have as number) > (step.value as number);
    case '<=':
      return (have as number) <= (step.value as number);
    default:
      return (have as number) >= (step.value as number);
  }
}

/** All values at a JSONPath as printer columns use it: `.spec.x`, `['key']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`. */
export function jsonPath(document: unknown, path: string): unknown[] {
  let here: unknown[] = [document];
  for (const step of parse(path.startsWith('$') ? path.slice(1) : path)) {
    here = here.flatMap((value): unknown[] => {
      switch (step.kind) {
        case 'key':
          return isRecord(value) && Object.hasOwn(value, step.key) ? [value[step.key]] : [];
        case 'index': {
          const found = Array.isArray(value) ? value.at(step.index) : undefined;
          return found === undefined ? [] : [found];
        }
        case 'all':
          return Array.isArray(value) ? value : isRecord(value) ? Object.values(value) : [];
        default:
          return Array.isArray(value) ? value.filter((item) => holds(item, step)) : [];
      }
    });
  }
  return here;
}
