import type { Environment } from '@marcbachmann/cel-js';
import { isObject } from '../json.ts';

/** The parts of the CEL library that a macro works with: its types are not exported. */
interface Type {
  kind: string;
  keyType?: Type;
  valueType?: Type;
}
interface Node {
  op: string;
  args: unknown;
}
interface Scope {
  forkWithVariable(name: string, type: Type): Scope;
  reuse(parent: Scope): Scope;
  setIterValue(value: unknown, evaluator: Evaluator): Scope;
}
interface Checker {
  check(node: Node, scope: Scope): Type;
  getType(name: string): Type;
  createError(code: string, message: string, node: Node): Error;
}
interface Evaluator {
  run(node: Node, scope: Scope): unknown;
}
interface MacroCall {
  args: Node[];
  receiver: Node;
}

type Visit = (each: (key: unknown, value: unknown) => boolean | undefined) => void;

function variable(node: Node | undefined): string {
  if (node?.op !== 'id' || typeof node.args !== 'string') throw new Error('argument must be a simple name');
  return node.args;
}

/** Entries of a list (index and item) or of a map (key and value) until `each` says false. */
function visit(collection: unknown): Visit {
  return (each) => {
    if (Array.isArray(collection)) {
      for (let i = 0; i < collection.length; i++) if (each(BigInt(i), collection[i]) === false) return;
    } else if (isObject(collection)) {
      for (const [key, value] of Object.entries(collection)) if (each(key, value) === false) return;
    } else throw new Error('expression of this type cannot be range of a comprehension');
  };
}

/** A macro over a list or map with a variable for the key and one for the value; `run` gets the evaluated bodies by their place. */
function twoVariables(result: string, run: (each: Visit, bodies: ((k: unknown, v: unknown) => unknown)[]) => unknown) {
  return ({ args, receiver }: MacroCall) => {
    const key = variable(args[0]);
    const value = variable(args[1]);
    const bodies = args.slice(2);
    let outer: Scope;
    let inner: Scope;
    return {
      typeCheck(checker: Checker, _macro: unknown, scope: Scope): Type {
        const range = checker.check(receiver, scope);
        const dyn = checker.getType('dyn');
        const keyType = range.kind === 'list' ? checker.getType('int') : (range.keyType ?? dyn);
        outer = scope.forkWithVariable(key, keyType);
        inner = outer.forkWithVariable(value, range.valueType ?? dyn);
        for (const body of bodies) checker.check(body, inner);
        return checker.getType(result);
      },
      evaluate(evaluator: Evaluator, _macro: unknown, scope: Scope): unknown {
        const collection = evaluator.run(receiver, scope);
        const evaluate = (body: Node) => (k: unknown, v: unknown) => {
          const around = outer.reuse(scope).setIterValue(k, evaluator);
          return evaluator.run(body, inner.reuse(around).setIterValue(v, evaluator));
        };
        return run(visit(collection), bodies.map(evaluate));
      },
    };
  };
}

interface Optional {
  hasValue(): boolean;
  value(): unknown;
}

/** A macro over the value of an optional: `x.optMap(v, f(v))`. */
function overOptional(wrap: (value: unknown) => unknown) {
  return ({ args, receiver }: MacroCall) => {
    const name = variable(args[0]);
    const body = args[1]!;
    let inner: Scope;
    return {
      typeCheck(checker: Checker, _macro: unknown, scope: Scope): Type {
        const optional = checker.check(receiver, scope);
        inner = scope.forkWithVariable(name, optional.valueType ?? checker.getType('dyn'));
        checker.check(body, inner);
        return checker.getType('optional');
      },
      evaluate(evaluator: Evaluator, _macro: unknown, scope: Scope): unknown {
        const optional = evaluator.run(receiver, scope) as Optional;
        if (!optional.hasValue()) return optional;
        return wrap(evaluator.run(body, inner.reuse(scope).setIterValue(optional.value(), evaluator)));
      },
    };
  };
}

/**
 * The macros that the CEL library lacks: comprehensions with two variables (`all`, `exists`, `existsOne`, `transformList`,
 * `transformMap`) and `optMap`, `optFlatMap`.
 *
 * @param some - makes an optional of a value
 */
export function registerMacros(environment: Environment, some: (value: unknown) => unknown): void {
  const all = twoVariables('bool', (each, [holds]) => {
    let result = true;
    each((k, v) => {
      result = holds!(k, v) === true;
      return result;
    });
    return result;
  });
  const exists = twoVariables('bool', (each, [holds]) => {
    let result = false;
    each((k, v) => {
      result = holds!(k, v) === true;
      return !result;
    });
    return result;
  });
  const existsOne = twoVariables('bool', (each, [holds]) => {
    let count = 0;
    each((k, v) => {
      if (holds!(k, v) === true) count++;
      return undefined;
    });
    return count === 1;
  });
  const transformList = twoVariables('list', (each, bodies) => {
    const [filter, transform] = bodies.length > 1 ? bodies : [undefined, bodies[0]];
    const list: unknown[] = [];
    each((k, v) => {
      if (filter === undefined || filter(k, v) === true) list.push(transform!(k, v));
      return undefined;
    });
    return list;
  });
  const transformMap = twoVariables('map', (each, bodies) => {
    const [filter, transform] = bodies.length > 1 ? bodies : [undefined, bodies[0]];
    const map = new Map<unknown, unknown>();
    each((k, v) => {
      if (filter === undefined || filter(k, v) === true) map.set(k, transform!(k, v));
      return undefined;
    });
    return map;
  });
  environment
    .registerFunction('list.all(ast, ast, ast): bool', all)
    .registerFunction('list.exists(ast, ast, ast): bool', exists)
    .registerFunction('list.existsOne(ast, ast, ast): bool', existsOne)
    .registerFunction('list.transformList(ast, ast, ast): list<dyn>', transformList)
    .registerFunction('list.transformList(ast, ast, ast, ast): list<dyn>', transformList)
    .registerFunction('list.transformMap(ast, ast, ast): map', transformMap)
    .registerFunction('list.transformMap(ast, ast, ast, ast): map', transformMap)
    .registerFunction('optional.optMap(ast, ast): optional<dyn>', overOptional(some))
    .registerFunction(
      'optional.optFlatMap(ast, ast): optional<dyn>',
      overOptional((value) => value),
    );
}
