/**
 * Records the protobuf form of Kubernetes' own kinds from their Go types, for clients that post protobuf (kubectl create, client-go's typed clients).
 * Run by hand when the Kubernetes version moves: `node record-protobuf.ts <k8s.io/api source> <k8s.io/apimachinery source>`. Writes
 * `generated/protobuf.json`: group version -> package, and package.Struct -> fields as [number, JSON name, type, flags].
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [api, machinery] = process.argv.slice(2);
if (!api || !machinery)
  throw new Error('usage: node record-protobuf.ts <k8s.io/api source> <k8s.io/apimachinery source>');

type Field = [number: number, name: string, type: string, flags: string];
const structs: Record<string, Field[]> = {};
const named: Record<string, string> = {};
const packages: Record<string, string> = {};

/** Go import alias -> our package name, within one file. */
function importsOf(source: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const m of source.matchAll(
    /^\s+(?:(\w+)\s+)?"k8s\.io\/(api|apimachinery\/pkg|apimachinery\/pkg\/apis|apimachinery\/pkg\/util|apimachinery\/pkg\/api)\/([\w/]+)"$/gm,
  )) {
    const path = m[3] as string;
    found.set(m[1] ?? (path.split('/').at(-1) as string), path.replace(/^apis\//, '').replace(/^(util|api)\//, ''));
  }
  return found;
}

function qualify(type: string, here: string, imports: Map<string, string>): string {
  return type.replace(/\b([A-Za-z]\w*)(?:\.(\w+))?\b/g, (whole, first: string, second?: string) => {
    if (second !== undefined) return `${imports.get(first) ?? first}.${second}`;
    if (/^(string|bool|byte|map|u?int(8|16|32|64)?|float(32|64))$/.test(whole)) return whole;
    return `${here}.${first}`;
  });
}

function readPackage(directory: string, name: string): void {
  for (const file of readdirSync(directory).filter((f) =>
    /^(types.*|quantity|intstr|time|micro_time|duration)\.go$/.test(f),
  )) {
    const source = readFileSync(join(directory, file), 'utf8').replaceAll(/^\s*\/\/.*$/gm, '');
    const imports = importsOf(source);
    for (const m of source.matchAll(/^type (\w+) ((?:\[\]|map\[)?[\w.\][]+)$/gm))
      named[`${name}.${m[1]}`] = qualify(m[2] as string, name, imports);
    for (const m of source.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
      const fields: Field[] = [];
      for (const line of (m[2] as string).split('\n')) {
        const f = /^\s*(?:\w+\s+)?([*[\]\w.]+)\s+`(.*)`/.exec(line);
        const tag = f && /protobuf:"(\w+),(\d+),(opt|rep|req)[^"]*"/.exec(f[2] as string);
        const json = f && /json:"([^"]*)"/.exec(f[2] as string)?.[1]?.split(',');
        if (!f || !tag || !json) continue;
        const flags = `${json.includes('inline') ? 'i' : ''}${json.includes('omitempty') ? 'o' : ''}`;
        fields.push([Number(tag[2]), json[0] as string, qualify(f[1] as string, name, imports), flags]);
      }
      structs[`${name}.${m[1]}`] = fields;
    }
  }
}

for (const group of readdirSync(api, { withFileTypes: true })) {
  if (!group.isDirectory()) continue;
  for (const version of readdirSync(join(api, group.name))) {
    const directory = join(api, group.name, version);
    if (!/^v\d+$/.test(version) || !existsSync(join(directory, 'register.go'))) continue;
    const name = /GroupName = "([^"]*)"/.exec(readFileSync(join(directory, 'register.go'), 'utf8'))?.[1] ?? group.name;
    packages[name === '' ? version : `${name}/${version}`] = `${group.name}/${version}`;
    readPackage(directory, `${group.name}/${version}`);
  }
}
readPackage(join(machinery, 'pkg/apis/meta/v1'), 'meta/v1');
readPackage(join(machinery, 'pkg/runtime'), 'runtime');
writeFileSync(
  new URL('generated/protobuf.json', import.meta.url),
  `${JSON.stringify({ packages, named, structs }).replaceAll('],"', '],\n"')}\n`,
);
