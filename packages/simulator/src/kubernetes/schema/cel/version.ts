import type { Environment } from '@marcbachmann/cel-js';

const STRICT = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$/;

/** A semantic version (semver.org, 2.0.0). */
class CelSemver {
  readonly numbers: readonly [bigint, bigint, bigint];
  readonly pre: readonly string[];
  constructor(numbers: readonly [bigint, bigint, bigint], pre: readonly string[]) {
    this.numbers = numbers;
    this.pre = pre;
  }

  /** @param lenient - take `v1.2` for `1.2.0` @throws {Error} when the text is no version */
  static parse(text: string, lenient = false): CelSemver {
    const parts = STRICT.exec(lenient ? normalize(text) : text);
    if (!parts) throw new Error(`semver parse error: ${JSON.stringify(text)} is not a semantic version`);
    const number = (i: number): bigint => BigInt(parts[i]!);
    return new CelSemver([number(1), number(2), number(3)], parts[4] === undefined ? [] : parts[4].split('.'));
  }

  compareTo(other: CelSemver): number {
    for (const i of [0, 1, 2] as const) {
      if (this.numbers[i] !== other.numbers[i]) return this.numbers[i] < other.numbers[i] ? -1 : 1;
    }
    if (this.pre.length === 0 || other.pre.length === 0)
      return other.pre.length - this.pre.length && (this.pre.length === 0 ? 1 : -1);
    for (let i = 0; i < Math.max(this.pre.length, other.pre.length); i++) {
      const order = compareIdentifiers(this.pre[i], other.pre[i]);
      if (order !== 0) return order;
    }
    return 0;
  }
}

function compareIdentifiers(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return -1;
  if (b === undefined) return 1;
  const numeric = [a, b].map((text) => /^\d+$/.test(text));
  if (numeric[0] && numeric[1]) return Number(a) - Number(b);
  if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
  return a < b ? -1 : 1;
}

function normalize(text: string): string {
  const [, core = '', rest = ''] = /^v?([0-9.]*)(.*)$/.exec(text) ?? [];
  const numbers = core.split('.').map((part) => part.replace(/^0+(?=\d)/, ''));
  while (numbers.length < 3) numbers.push('0');
  return `${numbers.join('.')}${rest}`;
}

/** Kubernetes' semver library: semver, isSemver, major, minor, patch and comparisons. */
export function registerVersionFunctions(environment: Environment): void {
  const S = 'kubernetes.Semver';
  environment.registerType(S, { ctor: CelSemver, fields: {} });
  const valid = (text: string, lenient = false): boolean => {
    try {
      CelSemver.parse(text, lenient);
      return true;
    } catch {
      return false;
    }
  };
  environment
    .registerOperator(`${S} == ${S}`, (a: CelSemver, b: CelSemver) => a.compareTo(b) === 0)
    .registerFunction(`semver(string): ${S}`, (text: string) => CelSemver.parse(text))
    .registerFunction(`semver(string, bool): ${S}`, (text: string, lenient: boolean) => CelSemver.parse(text, lenient))
    .registerFunction('isSemver(string): bool', (text: string) => valid(text))
    .registerFunction('isSemver(string, bool): bool', valid)
    .registerFunction(`${S}.major(): int`, (v: CelSemver) => v.numbers[0])
    .registerFunction(`${S}.minor(): int`, (v: CelSemver) => v.numbers[1])
    .registerFunction(`${S}.patch(): int`, (v: CelSemver) => v.numbers[2])
    .registerFunction(`${S}.isGreaterThan(${S}): bool`, (a: CelSemver, b: CelSemver) => a.compareTo(b) > 0)
    .registerFunction(`${S}.isLessThan(${S}): bool`, (a: CelSemver, b: CelSemver) => a.compareTo(b) < 0)
    .registerFunction(`${S}.compareTo(${S}): int`, (a: CelSemver, b: CelSemver) => BigInt(Math.sign(a.compareTo(b))));
}
