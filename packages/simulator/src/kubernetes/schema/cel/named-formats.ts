import type { Environment } from '@marcbachmann/cel-js';
import { formatCheck } from '../formats.ts';

/** A named format of Kubernetes, which says what is wrong with a text. */
class CelFormat {
  readonly check: (text: string) => string[];
  constructor(check: (text: string) => string[]) {
    this.check = check;
  }
}

const pattern =
  (expression: RegExp, max: number, words: string) =>
  (text: string): string[] => {
    const problems: string[] = [];
    if (text.length > max) problems.push(`must be no more than ${max} bytes`);
    if (!expression.test(text)) problems.push(words);
    return problems;
  };
const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const NAME = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const known =
  (format: string, words: string) =>
  (text: string): string[] =>
    formatCheck(format)?.(text) ? [] : [words];

const FORMATS: Record<string, (text: string) => string[]> = {
  dns1123Label: pattern(
    new RegExp(`^${LABEL}$`),
    63,
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'",
  ),
  dns1123Subdomain: pattern(
    new RegExp(`^${LABEL}(\\.${LABEL})*$`),
    253,
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'",
  ),
  dns1035Label: pattern(
    /^[a-z]([-a-z0-9]*[a-z0-9])?$/,
    63,
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-'",
  ),
  qualifiedName: pattern(
    new RegExp(`^(${LABEL}(\\.${LABEL})*/)?${NAME}$`),
    317,
    "name part must consist of alphanumeric characters, '-', '_' or '.'",
  ),
  labelValue: pattern(
    new RegExp(`^(${NAME})?$`),
    63,
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'",
  ),
  uri: known('uri', 'must be a valid URI'),
  uuid: known('uuid', 'does not match the UUID format'),
  byte: known('byte', 'invalid base64'),
  date: known('date', 'invalid date'),
  datetime: known('date-time', 'invalid datetime'),
};

/**
 * Kubernetes' format library: `format.dns1123Label().validate(self.name)` is none when the text is good.
 *
 * @param optional - makes an optional; undefined is none
 */
export function registerNamedFormats(environment: Environment, optional: (value: unknown) => unknown): void {
  class FormatNamespace {}
  environment.registerType('FormatNamespace', FormatNamespace);
  environment.registerConstant('format', 'FormatNamespace', new FormatNamespace());
  environment.registerType('kubernetes.NamedFormat', { ctor: CelFormat, fields: {} });
  for (const [name, check] of Object.entries(FORMATS)) {
    const format = new CelFormat(check);
    environment.registerFunction(`FormatNamespace.${name}(): kubernetes.NamedFormat`, () => format);
  }
  environment.registerFunction(
    'FormatNamespace.named(string): optional<kubernetes.NamedFormat>',
    (_: unknown, name: string) => optional(Object.hasOwn(FORMATS, name) ? new CelFormat(FORMATS[name]!) : undefined),
  );
  environment.registerFunction(
    'kubernetes.NamedFormat.validate(string): optional<list<string>>',
    (format: CelFormat, text: string) => {
      const problems = format.check(text);
      return optional(problems.length > 0 ? problems : undefined);
    },
  );
}
