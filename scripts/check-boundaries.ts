/**
 * The walls between rooms: a service imports packages and never a service, packages import downwards only, nobody reaches
 * past a package's index.ts, and relative imports stay inside their own package.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Packages from the ground up: each may import those before it only. */
const LAYERS = [
  ['openstack-client-ts', '@shoto/api', '@shoto/pki', '@shoto/kube', '@shoto/service'],
  ['@shoto/bundle', '@shoto/reconciler', '@shoto/simulator'],
  ['@shoto/cli'],
  ['@shoto/supervisor'],
];
const layerOf = (name: string): number => LAYERS.findIndex((l) => l.includes(name));

interface Room {
  name: string;
  dir: string;
  kind: 'package' | 'service' | 'other';
  dependencies: string[];
  exports: string[];
}

const rooms: Room[] = ['packages', 'services', '.']
  .flatMap((parent) =>
    (parent === '.' ? ['bench', 'e2e'] : readdirSync(join(root, parent))).map((d) => ({
      parent,
      dir: join(root, parent, d),
    })),
  )
  .filter(({ dir }) => existsSync(join(dir, 'package.json')))
  .map(({ parent, dir }) => {
    const p = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as {
      name: string;
      exports?: Record<string, unknown>;
      dependencies?: Record<string, string>;
      devDependencies?: Record<string, string>;
    };
    return {
      name: p.name,
      dir,
      kind: parent === 'packages' ? 'package' : parent === 'services' ? 'service' : 'other',
      dependencies: Object.keys(p.dependencies ?? {}),
      exports: Object.keys(p.exports ?? {}),
    };
  });
const roomOf = new Map(rooms.map((r) => [r.name, r]));

/** `import ... from 'x'`, `export ... from 'x'`, `import 'x'` and `import('x')`. */
const IMPORT = /^\s*(?:import|export)\b(?:[^'"();]*?\bfrom)?\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;

const problems: string[] = [];
for (const room of rooms) {
  for (const dependency of room.dependencies) {
    const target = roomOf.get(dependency);
    if (!target || room.kind === 'other') continue;
    if (target.kind === 'service')
      problems.push(`${room.name} depends on the service ${dependency}: services are talked to, never imported`);
    if (room.kind === 'package' && layerOf(dependency) >= layerOf(room.name))
      problems.push(`${room.name} depends on ${dependency}, which is not below it`);
    if (room.kind === 'package' && layerOf(room.name) < 0)
      problems.push(`${room.name} stands in no layer of scripts/check-boundaries.ts`);
  }
  for (const file of readdirSync(room.dir, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.includes('node_modules') || file.startsWith('dist')) continue;
    const path = join(room.dir, file);
    for (const [, fixed, dynamic] of readFileSync(path, 'utf8').matchAll(IMPORT)) {
      const specifier = fixed ?? dynamic;
      const where = `${relative(root, path)} imports ${specifier}`;
      const test = /(^|\/)(test|testing|scripts)\/|\.test\.ts$/.test(file) || room.kind === 'other';
      if (specifier!.startsWith('.')) {
        const inside = !relative(room.dir, resolve(dirname(path), specifier!)).startsWith('..');
        if (!inside && !test) problems.push(`${where}: relative imports stay inside their package`);
        continue;
      }
      const name = specifier!
        .split('/')
        .slice(0, specifier!.startsWith('@') ? 2 : 1)
        .join('/');
      const target = roomOf.get(name);
      if (!target || target === room) continue;
      const sub = `.${specifier!.slice(name.length)}`;
      if (!target.exports.includes(sub))
        problems.push(`${where}: only ${target.exports.join(', ')} of ${name} may be imported`);
    }
  }
}
for (const p of problems) console.error(p);
console.log(
  problems.length === 0 ? `boundaries: ${rooms.length} rooms, no wall broken` : `boundaries: ${problems.length} broken`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
