import { badRequest } from '../status.ts';
import { isRecord, list, record, text } from './json.ts';

/** Says whether a set of labels (or fields) is selected. */
export type Match = (values: Record<string, string>) => boolean;

const labelKey = /^([a-z0-9A-Z]([-a-z0-9A-Z.]*[a-z0-9A-Z])?\/)?[a-zA-Z0-9]([-a-zA-Z0-9_.]*[a-zA-Z0-9])?$/;
const labelValue = /^([a-zA-Z0-9]([-a-zA-Z0-9_.]*[a-zA-Z0-9])?)?$/;

/** Splits at commas outside parentheses. */
function requirements(selector: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i <= selector.length; i++) {
    const c = selector[i];
    if (c === '(') depth += 1;
    else if (c === ')') depth -= 1;
    else if (c === undefined || (c === ',' && depth === 0)) {
      parts.push(selector.slice(from, i).trim());
      from = i + 1;
    }
  }
  return parts.filter((p) => p !== '');
}

function labelRequirement(part: string): Match {
  const fail = (why: string): never => {
    throw badRequest(`unable to parse requirement: ${why}`);
  };
  const key = (k: string): string =>
    labelKey.test(k)
      ? k
      : fail(`<nil>: Invalid value: "${k}": name part must consist of alphanumeric characters, '-', '_' or '.'`);
  const value = (v: string): string =>
    labelValue.test(v)
      ? v
      : fail(
          `values[0]: Invalid value: "${v}": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'`,
        );
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(part);
  if (set) {
    const name = key(set[1] as string);
    const values = new Set((set[3] as string).split(',').map((v) => value(v.trim())));
    if (set[2] === 'in') return (l) => l[name] !== undefined && values.has(l[name]);
    return (l) => l[name] === undefined || !values.has(l[name]);
  }
  const binary = /^([^\s=!<>]+)\s*(==|=|!=|<|>)\s*([^\s=!<>]*)$/.exec(part);
  if (binary) {
    const name = key(binary[1] as string);
    const wanted = value(binary[3] as string);
    switch (binary[2]) {
      case '!=':
        return (l) => l[name] !== wanted;
      case '<':
        return (l) => l[name] !== undefined && Number(l[name]) < Number(wanted);
      case '>':
        return (l) => l[name] !== undefined && Number(l[name]) > Number(wanted);
      default:
        return (l) => l[name] === wanted;
    }
  }
  if (part.startsWith('!')) {
    const name = key(part.slice(1).trim());
    return (l) => l[name] === undefined;
  }
  if (/\s|[()]/.test(part)) fail(`found '${part}', expected: in, notin, =, ==, !=, gt, lt`);
  const name = key(part);
  return (l) => l[name] !== undefined;
}

/**
 * A label selector as in `?labelSelector=`, set-based operators included.
 * @throws {StatusError} 400 when it cannot be parsed
 */
export function parseLabelSelector(selector: string): Match | undefined {
  const all = requirements(selector).map(labelRequirement);
  return all.length === 0 ? undefined : (labels) => all.every((m) => m(labels));
}

/** One comparison of a field selector. */
export interface FieldRequirement {
  field: string;
  value: string;
  equals: boolean;
}

/**
 * A field selector as in `?fieldSelector=`.
 * @throws {StatusError} 400 when it cannot be parsed
 */
export function parseFieldSelector(selector: string): FieldRequirement[] {
  return requirements(selector).map((part) => {
    const m = /^([^=!]+?)\s*(==|=|!=)\s*(.*)$/.exec(part);
    if (!m) throw badRequest(`invalid selector: '${selector}'; can't understand '${part}'`);
    return { field: m[1] as string, value: (m[3] as string).replaceAll(/\\([,=\\])/g, '$1'), equals: m[2] !== '!=' };
  });
}

/** A metav1.LabelSelector (matchLabels, matchExpressions). An empty or missing one selects everything. */
export function compileLabelSelector(selector: unknown): Match {
  const wanted = Object.entries(record(record(selector).matchLabels));
  const expressions = list(record(selector).matchExpressions).filter(isRecord);
  return (labels) =>
    wanted.every(([k, v]) => labels[k] === v) &&
    expressions.every((e) => {
      const have = labels[text(e.key)];
      const values = list(e.values);
      switch (e.operator) {
        case 'In':
          return have !== undefined && values.includes(have);
        case 'NotIn':
          return have === undefined || !values.includes(have);
        case 'Exists':
          return have !== undefined;
        default:
          return have === undefined;
      }
    });
}
