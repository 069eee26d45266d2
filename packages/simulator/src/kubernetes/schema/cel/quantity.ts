import type { Environment } from '@marcbachmann/cel-js';

const PATTERN = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d+)?$/;
const BINARY = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL: Record<string, number> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
/** Quantities are kept in billionths, the smallest that Kubernetes keeps. */
const SCALE = 9;

/** A resource quantity such as `1Gi` or `250m`, exact to a billionth. */
class CelQuantity {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }

  /** @throws {Error} when the text is not a quantity */
  static parse(text: string): CelQuantity {
    const parts = PATTERN.exec(text);
    if (!parts) {
      throw new Error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    }
    const [, sign, digits, suffix = ''] = parts;
    const [whole = '', fraction = ''] = digits!.split('.');
    const power = BINARY.indexOf(suffix) + 1;
    const exponent = power > 0 ? 0 : (DECIMAL[suffix] ?? Number(suffix.slice(1) || 0));
    let value = BigInt(`${whole}${fraction}` || '0');
    const shift = SCALE + exponent - fraction.length;
    value *= 1024n ** BigInt(power);
    // Finer than a billionth is rounded up, as resource.Quantity does.
    value = shift >= 0 ? value * 10n ** BigInt(shift) : ceilDivide(value, 10n ** BigInt(-shift));
    return new CelQuantity(sign === '-' ? -value : value);
  }

  get isInteger(): boolean {
    return this.nanos % 10n ** BigInt(SCALE) === 0n;
  }

  asInteger(): bigint {
    if (!this.isInteger) throw new Error('cannot convert value to integer');
    return this.nanos / 10n ** BigInt(SCALE);
  }

  asNumber(): number {
    return Number(this.nanos) / 10 ** SCALE;
  }
}

const ceilDivide = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;
const fromInteger = (value: bigint): CelQuantity => new CelQuantity(value * 10n ** BigInt(SCALE));

/** Kubernetes' quantity library: quantity, isQuantity, comparisons, add, sub, asInteger, asApproximateFloat, sign. */
export function registerQuantityFunctions(environment: Environment): void {
  const Q = 'kubernetes.Quantity';
  environment.registerType(Q, { ctor: CelQuantity, fields: {} });
  const compare = (a: CelQuantity, b: CelQuantity): bigint => (a.nanos < b.nanos ? -1n : a.nanos > b.nanos ? 1n : 0n);
  environment
    .registerOperator(`${Q} == ${Q}`, (a: CelQuantity, b: CelQuantity) => a.nanos === b.nanos)
    .registerFunction(`quantity(string): ${Q}`, (text: string) => CelQuantity.parse(text))
    .registerFunction('isQuantity(string): bool', (text: string) => PATTERN.test(text))
    .registerFunction(`sign(${Q}): int`, (q: CelQuantity) => compare(q, new CelQuantity(0n)))
    .registerFunction(`${Q}.isInteger(): bool`, (q: CelQuantity) => q.isInteger)
    .registerFunction(`${Q}.asInteger(): int`, (q: CelQuantity) => q.asInteger())
    .registerFunction(`${Q}.asApproximateFloat(): double`, (q: CelQuantity) => q.asNumber())
    .registerFunction(`${Q}.isGreaterThan(${Q}): bool`, (a: CelQuantity, b: CelQuantity) => a.nanos > b.nanos)
    .registerFunction(`${Q}.isLessThan(${Q}): bool`, (a: CelQuantity, b: CelQuantity) => a.nanos < b.nanos)
    .registerFunction(`${Q}.compareTo(${Q}): int`, compare)
    .registerFunction(`${Q}.add(${Q}): ${Q}`, (a: CelQuantity, b: CelQuantity) => new CelQuantity(a.nanos + b.nanos))
    .registerFunction(
      `${Q}.add(int): ${Q}`,
      (a: CelQuantity, b: bigint) => new CelQuantity(a.nanos + fromInteger(b).nanos),
    )
    .registerFunction(`${Q}.sub(${Q}): ${Q}`, (a: CelQuantity, b: CelQuantity) => new CelQuantity(a.nanos - b.nanos))
    .registerFunction(
      `${Q}.sub(int): ${Q}`,
      (a: CelQuantity, b: bigint) => new CelQuantity(a.nanos - fromInteger(b).nanos),
    );
}
