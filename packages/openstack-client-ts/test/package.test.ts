import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const here = join(import.meta.dirname, '..');
const tsc = join(here, '../../node_modules/typescript/bin/tsc');
let root: string;

/** The package as a registry would hand it out, in the node_modules of a project that is not ours. */
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'consumer-'));
  const installed = join(root, 'node_modules/openstack-client-ts');
  mkdirSync(installed, { recursive: true });
  execFileSync(process.execPath, [tsc, '-p', join(here, 'tsconfig.build.json'), '--outDir', join(installed, 'dist')]);
  const { publishConfig, ...manifest } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
  writeFileSync(join(installed, 'package.json'), JSON.stringify({ ...manifest, ...publishConfig }));
  for (const name of Object.keys(manifest.dependencies)) {
    cpSync(join(here, 'node_modules', name), join(root, 'node_modules', name), { recursive: true, dereference: true });
  }
  mkdirSync(join(root, 'node_modules/@types'));
  symlinkSync(join(here, '../../node_modules/@types/node'), join(root, 'node_modules/@types/node'));
  writeFileSync(join(root, 'package.json'), '{"type": "module"}');
});
afterAll(() => rmSync(root, { recursive: true }));

it('runs from its built JavaScript', () => {
  const code = `import { cloudFromText, NotFoundError } from 'openstack-client-ts';
    const config = cloudFromText('clouds: {a: {auth: {auth_url: "http://k", token: t}, auth_type: token}}');
    console.log(config.name, new NotFoundError('x').name);`;
  writeFileSync(join(root, 'main.js'), code);
  expect(execFileSync(process.execPath, ['main.js'], { cwd: root, encoding: 'utf8' })).toBe('a NotFoundError\n');
});

it('brings its types', () => {
  const strict = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
  const check = (code: string) => {
    writeFileSync(join(root, 'main.ts'), code);
    try {
      return execFileSync(process.execPath, [tsc, ...strict, 'main.ts'], { cwd: root, encoding: 'utf8' });
    } catch (error) {
      return String((error as { stdout?: unknown }).stdout);
    }
  };
  const use = (limit: string) => `import { connect, type Server } from 'openstack-client-ts';
    const cloud = await connect({ cloud: 'a' });
    const servers: Server[] = await cloud.compute.servers.list({ limit: ${limit} }).all();
    export const names: string[] = servers.map((server) => server.name);`;
  expect(check(use('10'))).toBe('');
  expect(check(use('"ten"'))).toContain("Type 'string' is not assignable to type 'number'");
});
