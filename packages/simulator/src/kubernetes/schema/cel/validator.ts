import type { Environment } from '@marcbachmann/cel-js';
import type { FieldError } from '../field-error.ts';
import { deepEqual, isObject } from '../json.ts';
import { correlatedItem } from '../lists.ts';
import type { SchemaNode } from '../node.ts';
import { newEnvironment } from './environment.ts';
import { CompiledRule } from './rule.ts';
import { CelTypes } from './types.ts';

/** The rules at one schema position and the positions below it that have any. */
interface Position {
  node: SchemaNode;
  rules: readonly CompiledRule[];
  properties: ReadonlyMap<string, Position>;
  items: Position | undefined;
  additional: Position | undefined;
}

/** The CEL rules (`x-kubernetes-validations`) of a schema, compiled once. */
export class CelValidator {
  readonly compileErrors: FieldError[] = [];
  readonly #root: Position | undefined;

  /** @param at - path of the schema in its CustomResourceDefinition, for findings about the rules */
  constructor(root: SchemaNode, at = '') {
    if (!containsRules(root.raw)) return;
    const environment = newEnvironment();
    this.#root = this.#compile(root, new CelTypes(environment), environment, at, true);
  }

  get hasRules(): boolean {
    return this.#root !== undefined;
  }

  /** Runs every rule that applies; a rule that fails to evaluate is a finding of its own. */
  validate(value: unknown, old: unknown): FieldError[] {
    const errors: FieldError[] = [];
    if (this.#root !== undefined) run(this.#root, value, old, '', old !== undefined && deepEqual(value, old), errors);
    return errors;
  }

  #compile(
    node: SchemaNode,
    types: CelTypes,
    environment: Environment,
    path: string,
    resource: boolean,
    uncorrelatable?: string,
  ): Position | undefined {
    if (!containsRules(node.raw)) return undefined;
    const type = types.of(node, resource);
    const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
    const properties = new Map<string, Position>();
    for (const [name, child] of node.properties) {
      const below = this.#compile(
        child,
        types,
        environment,
        `${at('properties')}[${name}]`,
        child.embedded,
        uncorrelatable,
      );
      if (below !== undefined) properties.set(name, below);
    }
    const withoutIdentity = node.listType === 'map' ? uncorrelatable : (uncorrelatable ?? path);
    const items =
      node.items && this.#compile(node.items, types, environment, at('items'), node.items.embedded, withoutIdentity);
    const additional =
      node.additional &&
      this.#compile(
        node.additional,
        types,
        environment,
        at('additionalProperties'),
        node.additional.embedded,
        uncorrelatable,
      );
    const rules: CompiledRule[] = [];
    if (type !== undefined && node.rules.length > 0) {
      // Types below are registered by now, so that the clone (which freezes its parent) knows them all.
      for (const [i, rule] of node.rules.entries()) {
        const compiled = new CompiledRule(rule, node, type, environment);
        rules.push(compiled);
        this.compileErrors.push(...compiled.compileErrors(`${at('x-kubernetes-validations')}[${i}]`, uncorrelatable));
      }
    }
    if (rules.length === 0 && properties.size === 0 && items === undefined && additional === undefined)
      return undefined;
    return { node, rules, properties, items, additional };
  }
}

function containsRules(raw: unknown): boolean {
  if (Array.isArray(raw)) return raw.some(containsRules);
  if (!isObject(raw)) return false;
  if (Array.isArray(raw['x-kubernetes-validations']) && raw['x-kubernetes-validations'].length > 0) return true;
  return ['properties', 'items', 'additionalProperties'].some((key) => {
    const below = raw[key];
    return key === 'properties' && isObject(below) ? Object.values(below).some(containsRules) : containsRules(below);
  });
}

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

function run(
  position: Position,
  value: unknown,
  old: unknown,
  path: string,
  unchanged: boolean,
  errors: FieldError[],
): void {
  // Rules see present values only: a rule about absence belongs to the object around it.
  if (value === null || value === undefined) return;
  for (const rule of position.rules) {
    // What did not change is not judged again, except by rules that compare with the old value.
    if (unchanged && !rule.usesOldSelf) continue;
    const error = rule.evaluate(value, old, path);
    if (error !== undefined) errors.push(error);
  }
  const same = (a: unknown, b: unknown): boolean => unchanged || (b !== undefined && deepEqual(a, b));
  if (Array.isArray(value)) {
    if (position.items === undefined) return;
    for (let i = 0; i < value.length; i++) {
      const before = correlatedItem(value[i], old, position.node);
      run(position.items, value[i], before, `${path}[${i}]`, same(value[i], before), errors);
    }
  } else if (isObject(value)) {
    const from = isObject(old) ? old : {};
    for (const [name, below] of position.properties) {
      run(below, value[name], from[name], join(path, name), same(value[name], from[name]), errors);
    }
    if (position.additional !== undefined) {
      for (const key in value) {
        if (position.properties.has(key)) continue;
        run(position.additional, value[key], from[key], `${path}[${key}]`, same(value[key], from[key]), errors);
      }
    }
  }
}
