import { Environment } from '@marcbachmann/cel-js';
import { registerListFunctions } from './lists.ts';
import { registerMacros } from './macros.ts';
import { registerNamedFormats } from './named-formats.ts';
import { registerNetworkFunctions } from './network.ts';
import { registerQuantityFunctions } from './quantity.ts';
import { registerStringFunctions } from './strings.ts';
import { registerUrlFunctions } from './url.ts';
import { registerVersionFunctions } from './version.ts';

let base: Environment | undefined;

const plain = new Environment({ enableOptionalTypes: true, unlistedVariablesAreDyn: true });
const some = plain.parse('optional.of(x)');
const none: unknown = plain.evaluate('optional.none()', {});
const duration = plain.parse('duration(x)');

/** An optional with a value, or none for undefined. */
export const optionalOf = (value: unknown): unknown => (value === undefined ? none : some({ x: value }));

/** A duration such as `1h30m`. @throws {Error} when the text is none */
export const durationOf = (text: unknown): unknown => duration({ x: text });

let functions: Set<string> | undefined;

/** Is there a function or method of this name, whatever it takes? */
export function isFunction(name: string): boolean {
  functions ??= new Set(
    newEnvironment()
      .getDefinitions()
      .functions.map((definition) => definition.name),
  );
  return functions.has(name);
}

/** An environment with the functions that kube-apiserver offers to rules; types and variables may be added to it. */
export function newEnvironment(): Environment {
  if (base === undefined) {
    base = new Environment({
      enableOptionalTypes: true,
      homogeneousAggregateLiterals: false,
      limits: { maxListElements: 10_000, maxMapEntries: 10_000 },
    });
    registerStringFunctions(base);
    registerListFunctions(base);
    registerUrlFunctions(base);
    registerNetworkFunctions(base);
    registerQuantityFunctions(base);
    registerVersionFunctions(base);
    registerNamedFormats(base, optionalOf);
    registerMacros(base, optionalOf);
  }
  return base.clone();
}
