/** Where in a bundle something is wrong, and what. */
export interface BundleProblem {
  /** Path inside the bundle, `manifests/10-agent.yaml`. */
  file?: string;
  /** Number of the YAML document in the file, from 1. */
  document?: number;
  /** Line and column in the file, from 1. */
  line?: number;
  column?: number;
  /** Path of the field, `spec.template.spec.containers[0].image`. */
  path?: string;
  /** What is wrong, and what would be right. No value that might be a secret. */
  message: string;
}

/** One line: `bundle.yaml:3:7: patches[0].target.kind: required: give a string`. */
export function problemText(p: BundleProblem): string {
  const line = p.line === undefined ? '' : `:${p.line}:${p.column ?? 1}`;
  const document = p.document === undefined ? '' : `, document ${p.document}`;
  const where = [p.file && `${p.file}${line}${document}`, p.path].filter(Boolean).join(': ');
  return where ? `${where}: ${p.message}` : p.message;
}

/**
 * A bundle, or what it is given, is not what it must be: needs an author or a person, another try gives the same.
 *
 * Reasons: `BrokenYaml`, `InvalidManifest`, `BrokenBundle` (files, links, sizes), `BrokenManifest`, `UnknownPlaceholder`, `BrokenExpression`,
 * `BrokenPatch`, `DuplicateObject`, `InvalidValues`, `InvalidSchema`, `HelmMissing`, `HelmFailed`, `BadKey`.
 */
export class BundleError extends Error {
  /** As the errors of a reconcile: nothing but a change helps. */
  readonly kind = 'terminal';
  /** CamelCase, for programs. */
  readonly reason: string;
  /** Every problem found, not only the first. */
  readonly problems: readonly BundleProblem[];
  constructor(reason: string, problems: BundleProblem | readonly BundleProblem[], options?: ErrorOptions) {
    const all = Array.isArray(problems) ? (problems as readonly BundleProblem[]) : [problems as BundleProblem];
    super(all.map(problemText).join('; '), options);
    this.name = 'BundleError';
    this.reason = reason;
    this.problems = all;
  }
}
