import type { Environment } from '@marcbachmann/cel-js';
import { goRegExp } from '../go-regexp.ts';
import { formatText } from './format.ts';

/** String functions of cel-go's strings extension (v2) and Kubernetes' regex library that the CEL library itself lacks. */
export function registerStringFunctions(environment: Environment): void {
  const index = (text: string, at: bigint): number => {
    const position = Number(at);
    if (position < 0 || position > [...text].length) throw new Error(`index out of range: ${at}`);
    return position;
  };
  environment
    .registerFunction('string.charAt(int): string', (text: string, at: bigint) => [...text][index(text, at)] ?? '')
    .registerFunction('string.replace(string, string): string', (text: string, from: string, to: string) =>
      text.replaceAll(from, () => to),
    )
    .registerFunction(
      'string.replace(string, string, int): string',
      (text: string, from: string, to: string, times: bigint) => {
        if (times < 0n) return text.replaceAll(from, () => to);
        let left = Number(times);
        return text.replaceAll(from, (match) => (left-- > 0 ? to : match));
      },
    )
    .registerFunction('string.format(list): string', (text: string, values: unknown[]) => formatText(text, values))
    .registerFunction('string.find(string): string', (text: string, pattern: string) => {
      return goRegExp(pattern).exec(text)?.[0] ?? '';
    })
    .registerFunction('string.findAll(string): list<string>', (text: string, pattern: string) =>
      all(text, pattern, -1n),
    )
    .registerFunction('string.findAll(string, int): list<string>', all);

  const seconds = (time: Date): bigint => BigInt(Math.floor(time.getTime() / 1000));
  environment
    .registerFunction('string(google.protobuf.Timestamp): string', (time: Date) =>
      time.toISOString().replace('.000Z', 'Z'),
    )
    .registerFunction('int(google.protobuf.Timestamp): int', seconds)
    .registerFunction('string(google.protobuf.Duration): string', (duration: object) => String(duration));

  class StringsNamespace {}
  environment.registerType('StringsNamespace', StringsNamespace);
  environment.registerConstant('strings', 'StringsNamespace', new StringsNamespace());
  environment.registerFunction('StringsNamespace.quote(string): string', (_: unknown, text: string) =>
    JSON.stringify(text),
  );
}

function all(text: string, pattern: string, limit: bigint): string[] {
  const found = Array.from(text.matchAll(goRegExp(pattern, 'g')), (match) => match[0]);
  return limit < 0n ? found : found.slice(0, Number(limit));
}
