import type { Environment } from '@marcbachmann/cel-js';
import { type FieldError, fieldError } from '../field-error.ts';
import { isObject } from '../json.ts';
import type { SchemaNode, ValidationRule } from '../node.ts';
import { isFunction, optionalOf } from './environment.ts';
import { compileFailure, hiddenSelections, runtimeFailure } from './messages.ts';
import type { CelType } from './types.ts';

type Program = (context: Record<string, unknown>) => unknown;

/** One rule of `x-kubernetes-validations`, compiled against the type of the values it judges. */
export class CompiledRule {
  readonly usesOldSelf: boolean;
  readonly #rule: ValidationRule;
  readonly #node: SchemaNode;
  readonly #type: CelType;
  readonly #optionalOldSelf: boolean;
  readonly #failures: { field: string; detail: string }[] = [];
  #program: Program | undefined;
  #messageProgram: Program | undefined;

  constructor(rule: ValidationRule, node: SchemaNode, type: CelType, environment: Environment) {
    this.#rule = rule;
    this.#node = node;
    this.#type = type;
    this.#optionalOldSelf = rule.optionalOldSelf === true;
    const scoped = environment.clone();
    scoped.registerVariable('self', type.name);
    scoped.registerVariable('oldSelf', this.#optionalOldSelf ? `optional<${type.name}>` : type.name);
    this.#program = this.#compile(scoped, rule.rule, 'bool', 'rule');
    this.usesOldSelf = /\boldSelf\b/.test(withoutStrings(rule.rule));
    if (rule.messageExpression) {
      this.#messageProgram = this.#compile(scoped, rule.messageExpression, 'string', 'messageExpression');
    }
  }

  /**
   * What is wrong with the rule itself.
   *
   * @param path - of the rule in its schema
   * @param uncorrelatable - path of the list above whose items have no identity, so that there is no old value to compare with
   */
  compileErrors(path: string, uncorrelatable?: string): FieldError[] {
    const { rule, fieldPath, reason } = this.#rule;
    if (rule.trim() === '') return [fieldError.required(`${path}.rule`, 'rule is not specified')];
    const errors = this.#failures.map(({ field, detail }) =>
      fieldError.invalid(`${path}.${field}`, described(this.#rule), detail),
    );
    if (fieldPath !== undefined && fieldPath !== '' && !this.#fieldExists(fieldPath)) {
      errors.push(fieldError.invalid(`${path}.fieldPath`, fieldPath, 'must be a valid path'));
    }
    if (reason !== undefined && !REASONS.includes(reason)) {
      errors.push(fieldError.notSupported(`${path}.reason`, reason, REASONS));
    }
    if (uncorrelatable !== undefined && this.usesOldSelf) {
      const detail = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`;
      errors.push(fieldError.invalid(`${path}.rule`, rule, detail));
    }
    return errors;
  }

  /** @returns the finding when the rule does not hold for the value or cannot be evaluated */
  evaluate(value: unknown, old: unknown, path: string): FieldError | undefined {
    const plain = this.#node.type === 'object' || this.#node.type === 'array';
    const failure = (detail: string): FieldError => this.#failure(path, value, detail, plain);
    if (this.#program === undefined) {
      return fieldError.invalid(path, this.#node.type, `rule compile error: ${this.#failures[0]?.detail ?? ''}`);
    }
    if (this.usesOldSelf && (old === undefined || old === null) && !this.#optionalOldSelf) return undefined;
    const context = { self: this.#type.convert(value), oldSelf: this.#oldSelf(old) };
    try {
      if (this.#program(context) === true) return undefined;
    } catch (error) {
      return fieldError.invalid(path, this.#node.type, runtimeFailure(error, this.#shown()));
    }
    if (this.#messageProgram !== undefined) {
      try {
        const message = this.#messageProgram(context);
        // An empty or broken message falls back to the rule's own, as in kube-apiserver.
        if (typeof message === 'string' && message.trim() !== '' && !message.includes('\n')) {
          return failure(message.trim());
        }
      } catch {
        return failure(this.#message());
      }
    }
    return failure(this.#message());
  }

  #oldSelf(old: unknown): unknown {
    const value = old === undefined || old === null ? undefined : this.#type.convert(old);
    return this.#optionalOldSelf ? optionalOf(value) : value;
  }

  #compile(environment: Environment, text: string, result: string, field: string): Program | undefined {
    try {
      const program = environment.parse(text) as Program & {
        check(): { valid: boolean; type?: string; error?: unknown };
      };
      const checked = program.check();
      if (!checked.valid) throw checked.error;
      if (checked.type !== result && checked.type !== 'dyn') {
        throw new Error(`${field === 'rule' ? 'cel expression' : field} must evaluate to a ${result}`);
      }
      for (const selection of hiddenSelections(text)) {
        const hidden = environment.check(selection.text) as { error?: { code?: string; summary?: string } };
        if (hidden.error?.code === 'no_such_key') {
          throw Object.assign(new Error(hidden.error.summary), { code: 'no_such_key', at: selection.at });
        }
      }
      return program;
    } catch (error) {
      this.#failures.push({ field, detail: compileFailure(error, text, isFunction) });
      return undefined;
    }
  }

  #failure(path: string, value: unknown, detail: string, withoutValue: boolean): FieldError {
    const fieldPath = this.#rule.fieldPath?.replace(/^\./, '') ?? '';
    const at = fieldPath === '' ? path : path === '' ? fieldPath : `${path}.${fieldPath}`;
    switch (this.#rule.reason) {
      case 'FieldValueForbidden':
        return fieldError.forbidden(at, detail);
      case 'FieldValueRequired':
        return fieldError.required(at, detail);
      case 'FieldValueDuplicate': {
        const duplicate = fieldError.duplicate(at, value);
        return withoutValue ? { ...duplicate, message: 'Duplicate value' } : duplicate;
      }
      default:
        return withoutValue ? fieldError.invalidWithoutValue(at, detail) : fieldError.invalid(at, value, detail);
    }
  }

  #message(): string {
    const message = this.#rule.message?.trim() ?? '';
    return message === '' ? `failed rule: ${this.#rule.rule.trim()}` : message;
  }

  #shown(): string {
    return this.#rule.message || this.#rule.rule.trim();
  }

  #fieldExists(fieldPath: string): boolean {
    if (!fieldPath.startsWith('.') && !fieldPath.startsWith('[')) return false;
    let node: SchemaNode | undefined = this.#node;
    for (const [, name, quoted] of fieldPath.matchAll(/\.([^.[\]]+)|\['((?:[^'\\]|\\.)*)'\]/g)) {
      node = node?.properties.get(name ?? quoted ?? '') ?? node?.additional;
    }
    return node !== undefined && isObject(node.raw);
  }
}

const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

/** The rule as Go prints the internal type. */
const described = (rule: ValidationRule): unknown => ({
  Rule: rule.rule,
  Message: rule.message ?? '',
  MessageExpression: rule.messageExpression ?? '',
  Reason: rule.reason ?? null,
  FieldPath: rule.fieldPath ?? '',
  OptionalOldSelf: rule.optionalOldSelf ?? null,
});

const withoutStrings = (text: string): string => text.replace(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/g, "''");
