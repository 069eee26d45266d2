interface CelNode {
  op?: string;
  args?: unknown;
  start?: number;
  end?: number;
}

interface CelProblem {
  code?: string;
  summary?: string;
  message: string;
  range?: { start: number; end: number };
  node?: CelNode;
  /** Where cel-go would point, when that is known already. */
  at?: number;
}

/** The library's findings in the words of cel-go. */
function translate(problem: CelProblem, isKnown: (name: string) => boolean): string {
  const text = problem.summary ?? problem.message;
  const key = /^No such key: (.*)$/.exec(text);
  if (key) return problem.code === 'no_such_key' ? `undefined field '${key[1]}'` : text;
  const variable = /^Unknown variable: (.*)$/.exec(text);
  if (variable) return `undeclared reference to '${variable[1]}' (in container '')`;
  const operands = /^no such overload: (\S+) (\S+) (\S+)$/.exec(text);
  if (operands) {
    return `found no matching overload for '_${operands[2]}_' applied to '(${operands[1]}, ${operands[3]})'`;
  }
  const call = /^found no matching overload for '([^(']*)\((.*)\)'/.exec(text);
  if (call) {
    const name = call[1]!.split('.').at(-1)!;
    const receiver = call[1]!.slice(0, -name.length);
    return isKnown(name)
      ? `found no matching overload for '${name}' applied to '${receiver}(${call[2]})'`
      : `undeclared reference to '${name}' (in container '')`;
  }
  return problem.code === 'parse_error' || /^(Unexpected|Expected)/.test(text) ? `Syntax error: ${text}` : text;
}

/** cel-go points at the dot of a selection, the operator of an operation and the parenthesis of a call. */
function position(problem: CelProblem, text: string): number | undefined {
  if (problem.at !== undefined) return problem.at;
  const start = problem.range?.start;
  if (start === undefined) return undefined;
  const { node } = problem;
  const operands = Array.isArray(node?.args) ? (node.args as CelNode[]) : [];
  if (problem.code === 'no_such_key') return text.lastIndexOf('.', start);
  if (problem.code === 'no_such_overload' && operands.length === 2 && node?.op !== undefined) {
    const after = operands[0]?.end ?? start;
    const at = text.indexOf(node.op, after);
    return at < 0 ? start : at;
  }
  if (problem.code === 'no_matching_overload') {
    const name = /for '(?:[^'(]*\.)?(\w+)\(/.exec(problem.summary ?? '')?.[1] ?? '';
    const at = text.indexOf(`${name}(`, start);
    return at < 0 ? start : at + name.length;
  }
  return start;
}

/**
 * A rule that does not compile, as kube-apiserver says it: the finding with the place in the expression marked.
 *
 * @param isKnown - is there any function of this name?
 */
export function compileFailure(error: unknown, text: string, isKnown: (name: string) => boolean): string {
  const problem = error as CelProblem;
  const start = position(problem, text);
  if (start === undefined) return problem.message;
  const before = text.slice(0, start).split('\n');
  const line = before.length;
  const column = before[line - 1]!.length;
  const source = text.split('\n')[line - 1] ?? '';
  const pointer = `${'.'.repeat(column)}^`;
  return `compilation failed: ERROR: <input>:${line}:${column + 1}: ${translate(problem, isKnown)}\n | ${source}\n | ${pointer}`;
}

/**
 * The arguments of has(), which the library does not check for fields that do not exist, with the place where cel-go points.
 */
export function hiddenSelections(text: string): { text: string; at: number }[] {
  return Array.from(text.matchAll(/\bhas\(\s*([\w.]+)\s*\)/g), (match) => ({ text: match[1]!, at: match.index + 3 }));
}

/** A rule that could not be evaluated for a value, as kube-apiserver says it. */
export function runtimeFailure(error: unknown, rule: string): string {
  const problem = error as CelProblem;
  const text = problem.summary ?? problem.message;
  if (/^(no such overload|found no matching overload)/i.test(text)) {
    return `'no such overload': call arguments did not match a supported operator, function or macro signature for rule: ${rule}`;
  }
  if (/\(\) type error: cannot convert to (int|uint|double)$/.test(text)) {
    const type = /(int|uint|double)$/.exec(text)?.[1];
    return `type conversion error from 'string' to '${type}' evaluating rule: ${rule}`;
  }
  const bounds = /index out of bounds, index (-?\d+)/.exec(text);
  if (bounds) return `index out of bounds: ${bounds[1]} evaluating rule: ${rule}`;
  return `${text.replace(/^No such key: /, 'no such key: ')} evaluating rule: ${rule}`;
}
