/**
 * Makes `data/openapi` out of the OpenAPI documents that Kubernetes keeps in its own source (api/openapi-spec/v3).
 *
 *   node scripts/make-openapi.ts [directory of the Kubernetes source]
 *
 * Without a directory the Go module k8s.io/kubernetes is fetched by `go mod download` (GO names another go command). The documents repeat one another's schemas,
 * so these are kept once in schemas.json.gz; each document's paths are kept in a file of its own, loaded when somebody asks for it.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const VERSION = 'v1.35.4';
const target = join(import.meta.dirname, '..', 'data', 'openapi');

interface Document {
  components?: { schemas?: Record<string, unknown> };
  paths: Record<string, unknown>;
}

function sourceDirectory(): string {
  const given = process.argv[2];
  if (given !== undefined) return given;
  const answer = execFileSync(process.env.GO ?? 'go', ['mod', 'download', '-json', `k8s.io/kubernetes@${VERSION}`], {
    cwd: '/',
    env: { ...process.env, GOFLAGS: '' },
    encoding: 'utf8',
  });
  return (JSON.parse(answer) as { Dir: string }).Dir;
}

/** `apis__apps__v1_openapi.json` holds the document of `apis/apps/v1`. */
const pathOf = (file: string): string => file.replace(/_openapi\.json$/, '').replaceAll('__', '/');

const compress = (value: unknown): Buffer => {
  const packed = gzipSync(JSON.stringify(value), { level: 9 });
  // Byte 9 names the operating system that made it: fixed, so that the same input gives the same file everywhere.
  packed[9] = 255;
  return packed;
};

/** Paths carry the same few parameters and answers thousands of times; each is kept once and named by its number. */
function share(paths: Record<string, unknown>): { paths: unknown; shared: unknown[] } {
  const shared: unknown[] = [];
  const numbers = new Map<string, number>();
  const walk = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) return value.map((item) => (key === 'parameters' ? number(item) : walk(item, '')));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, name === 'responses' ? number(item) : walk(item, name)]),
    );
  };
  const number = (value: unknown): number => {
    const text = JSON.stringify(value);
    let found = numbers.get(text);
    if (found === undefined) {
      found = shared.push(value) - 1;
      numbers.set(text, found);
    }
    return found;
  };
  return { paths: walk(paths, ''), shared };
}

const source = join(sourceDirectory(), 'api', 'openapi-spec', 'v3');
const schemas: Record<string, unknown> = {};
const index: Record<string, { hash: string; file: string }> = {};
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
for (const file of readdirSync(source).sort()) {
  if (!file.endsWith('_openapi.json')) continue;
  const text = readFileSync(join(source, file), 'utf8');
  const document = JSON.parse(text) as Document;
  const own = document.components?.schemas ?? {};
  Object.assign(schemas, own);
  const name = `${pathOf(file).replaceAll('/', '_').replace(/^\./, '')}.json.gz`;
  index[pathOf(file)] = { hash: createHash('sha512').update(text).digest('hex').toUpperCase(), file: name };
  writeFileSync(join(target, name), compress({ schemas: Object.keys(own), ...share(document.paths) }));
}
writeFileSync(join(target, 'schemas.json.gz'), compress(schemas));
writeFileSync(join(target, 'index.json'), `${JSON.stringify(index, null, 1)}\n`);
