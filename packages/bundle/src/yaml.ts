import { type Document, LineCounter, parseAllDocuments, type ScalarTag, type Tags } from 'yaml';
import { BundleError, type BundleProblem } from './errors.ts';
import type { Json } from './json.ts';

/** `0644` is 420 for kubectl and Helm (YAML 1.1), and 644 in YAML 1.2. */
const octal: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  identify: () => false,
  test: /^[-+]?0[0-7]+$/,
  resolve: (text) => (text.startsWith('-') ? -1 : 1) * Number.parseInt(text.replace(/^[-+]/, ''), 8),
};

/** `yes` and `on` are true for kubectl and Helm. */
const words: ScalarTag = {
  tag: 'tag:yaml.org,2002:bool',
  default: true,
  identify: () => false,
  test: /^(?:yes|Yes|YES|on|On|ON|no|No|NO|off|Off|OFF)$/,
  resolve: (text) => /^(?:yes|on)$/i.test(text),
};

/** One YAML document that is not empty. */
export interface YamlDocument {
  /** Number in the file, from 1; empty documents count. */
  document: number;
  value: Json;
  /** Line and column, from 1, of what stands at a path, or of the nearest thing around it. */
  locate: (path: readonly PropertyKey[]) => { line: number; column: number };
}

/**
 * Reads YAML as kubectl does: YAML 1.2 with the octal numbers, yes/no and merge keys of 1.1.
 *
 * @param file - name for messages
 * @throws {BundleError} `BrokenYaml` with line and column
 */
export function readYaml(text: string, file: string): YamlDocument[] {
  const lineCounter = new LineCounter();
  const parsed = parseAllDocuments(text, {
    version: '1.2',
    merge: true,
    lineCounter,
    prettyErrors: false,
    uniqueKeys: true,
    customTags: (tags: Tags) => [octal, words, ...tags],
  });
  const documents: Document[] = Array.isArray(parsed) ? (parsed as Document[]) : [];
  const at = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems: BundleProblem[] = documents.flatMap((d) =>
    d.errors.map((e) => ({ file, ...at(e.pos[0]), message: e.message })),
  );
  if (problems.length > 0) throw new BundleError('BrokenYaml', problems);
  return documents.flatMap((d, i) => {
    if (d.contents === null) return [];
    let value: Json;
    try {
      value = d.toJS({ maxAliasCount: 100 }) as Json;
      checkPlain(value, [], file, i + 1);
    } catch (e) {
      if (e instanceof BundleError) throw e;
      // A value inside itself, or nested beyond the stack.
      const message = e instanceof RangeError ? 'nested too deep' : (e as Error).message;
      throw new BundleError('BrokenYaml', { file, document: i + 1, message });
    }
    if (value === null) return [];
    const locate = (path: readonly PropertyKey[]) => {
      for (let n = path.length; n >= 0; n--) {
        const node = d.getIn(path.slice(0, n), true) as { range?: [number, number, number] } | undefined;
        if (node && typeof node === 'object' && node.range) return at(node.range[0]);
      }
      return at(0);
    };
    return [{ document: i + 1, value, locate }];
  });
}

/** What JSON cannot say, and keys that mean something else in JavaScript. */
function checkPlain(v: unknown, path: PropertyKey[], file: string, document: number): void {
  if (typeof v === 'number' && !Number.isFinite(v))
    throw new BundleError('BrokenYaml', { file, document, path: path.join('.'), message: `${v} is no number in JSON` });
  if (typeof v !== 'object' || v === null) {
    if (['string', 'number', 'boolean', 'object'].includes(typeof v)) return;
    throw new BundleError('BrokenYaml', { file, document, path: path.join('.'), message: `a ${typeof v} is not JSON` });
  }
  for (const [key, inner] of Object.entries(v)) {
    if (key === '__proto__')
      throw new BundleError('BrokenYaml', {
        file,
        document,
        path: path.join('.'),
        message: '__proto__ may not be a key',
      });
    checkPlain(inner, [...path, key], file, document);
  }
}
