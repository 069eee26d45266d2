import type { ClusterSpec } from '@shoto/api';
import { secretsInClear } from '@shoto/bundle';

/** Most warnings that are said of one request. */
const MOST = 16;

/** What is allowed and yet unwise in a spec, a line each: secrets that lie open in values of addons. Says no value. Pure. */
export const warningsOf = (spec: Pick<ClusterSpec, 'addons'>): string[] =>
  spec.addons
    .flatMap((a, i) => secretsInClear(a.values ?? {}).map((w) => ({ ...w, path: `spec.addons[${i}].${w.path}` })))
    .map(({ path, message }) => `${path}: ${message}`)
    .slice(0, MOST);

/** Warnings as HTTP has them (RFC 7234, section 5.5: code 299), as API servers send them too. */
export const warningHeaders = (warnings: readonly string[]): string[] =>
  warnings.map((w) => `299 - "${w.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`);
