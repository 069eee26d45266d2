import { TypeError as CelTypeError, Environment, EvaluationError, ParseError } from '@marcbachmann/cel-js';
import { TimeLimitError, withTimeLimit } from './time-limit.ts';

/** Variables that an expression of a bundle may name. */
export type CelVariables = 'render' | 'health';

/** How long one expression may run. A usual one takes microseconds. */
const TIME_LIMIT_MS = 50;
/** Texts of expressions kept in memory with what was made of them. */
const KEPT = 1000;

const environment = (variables: string[]) => {
  const env = new Environment({
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 512, maxDepth: 32, maxListElements: 128, maxMapEntries: 128, maxCallArguments: 16 },
  });
  for (const v of variables) env.registerVariable(v, 'dyn');
  return env;
};
const ENVIRONMENTS = {
  /** values, facts and the Kubernetes version that is rendered for. */
  render: environment(['values', 'facts', 'kubernetes']),
  /** The object that is looked at. */
  health: environment(['object']),
};

/** An expression that is wrong, or went wrong on what it was given. The message has no value of the input. */
export class ExpressionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ExpressionError';
  }
}

interface Compiled {
  run: (input: Record<string, unknown>) => unknown;
  bounded: boolean;
}
const compiled = new Map<string, Compiled>();

/** Calls whose cost is that of their input at most. Anything else runs under the clock. */
const CHEAP = new Set([
  'has',
  'size',
  'startsWith',
  'endsWith',
  'contains',
  'string',
  'int',
  'double',
  'bool',
  'dyn',
  'type',
]);
const isBounded = (source: string): boolean =>
  [...source.matchAll(/([A-Za-z_]\w*)\s*\(/g)].every(([, called]) => CHEAP.has(called!));

/** The library's message without the picture of the source. */
function firstLine(e: unknown): string {
  if (e instanceof ParseError || e instanceof EvaluationError || e instanceof CelTypeError)
    return e.range ? `${e.summary} (at character ${e.range.start + 1})` : e.summary;
  return (e as Error).message.split('\n', 1)[0]!;
}

function compile(source: string, variables: CelVariables): Compiled {
  const key = `${variables} ${source}`;
  const known = compiled.get(key);
  if (known) return known;
  try {
    const env = ENVIRONMENTS[variables];
    const run = env.parse(source);
    const checked = run.check();
    if (!checked.valid) throw checked.error;
    if (checked.type !== 'bool' && checked.type !== 'dyn')
      throw new ExpressionError(`gives ${checked.type}, not true or false`);
    const made = { run: run as Compiled['run'], bounded: isBounded(source) };
    if (compiled.size >= KEPT) compiled.delete(compiled.keys().next().value!);
    compiled.set(key, made);
    return made;
  } catch (e) {
    throw e instanceof ExpressionError ? e : new ExpressionError(firstLine(e));
  }
}

/** What is wrong with an expression before it is run: its syntax, its names, its types. Undefined where nothing is. */
export function celProblem(source: string, variables: CelVariables): string | undefined {
  try {
    compile(source, variables);
    return undefined;
  } catch (e) {
    return (e as Error).message;
  }
}

/** Whole numbers of JSON are integers in CEL, as in Kubernetes. */
function celValue(v: unknown): unknown {
  if (typeof v === 'number') return Number.isSafeInteger(v) ? BigInt(v) : v;
  if (Array.isArray(v)) return v.map(celValue);
  if (typeof v !== 'object' || v === null) return v;
  return Object.fromEntries(Object.entries(v).map(([k, inner]) => [k, celValue(inner)]));
}
const converted = new WeakMap<object, unknown>();
function celInput(input: Record<string, unknown>): Record<string, unknown> {
  let known = converted.get(input);
  if (!known) {
    known = celValue(input);
    converted.set(input, known);
  }
  return known as Record<string, unknown>;
}

/**
 * Whether an expression holds. Bundles are not trusted: an expression has at most 512 nodes, and 50 ms.
 *
 * @param input - its variables, by name; not changed afterwards by who calls (what was made of it is kept)
 * @throws {ExpressionError} where it is wrong, names what is not there, takes too long, or is neither true nor false
 */
export function celHolds(source: string, variables: CelVariables, input: Record<string, unknown>): boolean {
  const { run, bounded } = compile(source, variables);
  const given = celInput(input);
  let result: unknown;
  try {
    result = bounded ? run(given) : withTimeLimit(TIME_LIMIT_MS, () => run(given));
  } catch (e) {
    throw new ExpressionError(e instanceof TimeLimitError ? e.message : firstLine(e));
  }
  if (typeof result !== 'boolean') throw new ExpressionError('gives neither true nor false');
  return result;
}
