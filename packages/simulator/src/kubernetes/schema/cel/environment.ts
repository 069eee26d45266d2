import { Environment } from '@marcbachmann/cel-js';
import { registerListFunctions } from './lists.ts';
import { registerNetworkFunctions } from './network.ts';
import { registerQuantityFunctions } from './quantity.ts';
import { registerStringFunctions } from './strings.ts';
import { registerUrlFunctions } from './url.ts';
import { registerVersionFunctions } from './version.ts';

let base: Environment | undefined;

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
  }
  return base.clone();
}
