interface CelProblem {
  code?: string;
  summary?: string;
  message: string;
  range?: { start: number; end: number };
}

/** The library's findings in the words of cel-go. */
function translate(problem: CelProblem): string {
  const text = problem.summary ?? problem.message;
  const key = /^No such key: (.*)$/.exec(text);
  if (key) return problem.code === 'no_such_key' ? `undefined field '${key[1]}'` : text;
  const variable = /^Unknown variable: (.*)$/.exec(text);
  if (variable) return `undeclared reference to '${variable[1]}' (in container '')`;
  const overload = /^found no matching overload for '([^(']*)\(/.exec(text);
  if (overload) return `undeclared reference to '${overload[1]!.split('.').at(-1)}' (in container '')`;
  return text;
}

/** A rule that does not compile, as kube-apiserver says it: the finding with the place in the expression marked. */
export function compileFailure(error: unknown, text: string): string {
  const problem = error as CelProblem;
  const start = problem.range?.start;
  if (start === undefined) return problem.message;
  const before = text.slice(0, start).split('\n');
  const line = before.length;
  const column = before[line - 1]!.length;
  const source = text.split('\n')[line - 1] ?? '';
  const pointer = `${'.'.repeat(column)}^`;
  return `compilation failed: ERROR: <input>:${line}:${column + 1}: ${translate(problem)}\n | ${source}\n | ${pointer}`;
}

/** A rule that could not be evaluated for a value, as kube-apiserver says it. */
export function runtimeFailure(error: unknown, rule: string): string {
  const problem = error as CelProblem;
  const text = problem.summary ?? problem.message;
  if (/^(no such overload|found no matching overload)/i.test(text)) {
    return `'no such overload': call arguments did not match a supported operator, function or macro signature for rule: ${rule}`;
  }
  return `${text.replace(/^No such key: /, 'no such key: ')} evaluating rule: ${rule}`;
}
