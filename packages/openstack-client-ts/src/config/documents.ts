import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ConfigError } from '../errors.ts';

/** A mapping of a YAML document. */
export type Mapping = { [key: string]: unknown };

/** Where configuration is read from; the process's own by default. */
export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  home: string;
}

export function systemSurroundings(): Surroundings {
  return { env: process.env, cwd: process.cwd(), home: homedir() };
}

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** YAML (of which JSON is a part) to a mapping; empty text to an empty one. */
export function parseMapping(text: string, source: string): Mapping {
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    // The parser's message quotes the line, which may hold a password.
    const line = (cause as { linePos?: [{ line: number }] }).linePos?.[0].line;
    throw new ConfigError(`${source} is not YAML${line === undefined ? '' : ` (line ${line})`}`);
  }
  if (value === null || value === undefined) return {};
  if (!isMapping(value)) throw new ConfigError(`${source} must be a mapping`);
  return value;
}

/** The files that are looked for, in order; the first that is there is read. */
export function candidates(name: 'clouds' | 'secure' | 'clouds-public', around: Surroundings): string[] {
  const variable = {
    clouds: 'OS_CLIENT_CONFIG_FILE',
    secure: 'OS_CLIENT_SECURE_FILE',
    'clouds-public': 'OS_CLIENT_VENDOR_FILE',
  };
  const named = around.env[variable[name]];
  const userConfig = around.env.XDG_CONFIG_HOME || join(around.home, '.config');
  const folders = [around.cwd, join(userConfig, 'openstack'), '/etc/openstack'];
  const found = folders.flatMap((folder) => ['yaml', 'yml', 'json'].map((end) => join(folder, `${name}.${end}`)));
  return named ? [named, ...found] : found;
}

/** The first of the files that exists, read; an empty mapping when there is none. */
export function readFirst(files: readonly string[]): Mapping {
  const file = files.find((f) => existsSync(f));
  if (file === undefined) return {};
  try {
    return parseMapping(readFileSync(file, 'utf8'), file);
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(`${file} cannot be read`, { cause });
  }
}

/** Deep merge of mappings; `over` wins. Lists and scalars are replaced. */
export function mergeMappings(under: Mapping, over: Mapping): Mapping {
  const merged: Mapping = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isMapping(below) && isMapping(value) ? mergeMappings(below, value) : value;
  }
  return merged;
}
