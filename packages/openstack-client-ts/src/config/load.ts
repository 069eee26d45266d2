import { ConfigError } from '../errors.ts';
import { toCloudConfig } from './cloud.ts';
import {
  candidates,
  isMapping,
  type Mapping,
  mergeMappings,
  parseMapping,
  readFirst,
  type Surroundings,
  systemSurroundings,
} from './documents.ts';
import type { CloudConfig } from './types.ts';

/** Variables that choose or say how to behave, but describe no cloud by themselves. */
const SELECTORS = new Set([
  'OS_CLOUD',
  'OS_CLOUD_NAME',
  'OS_REGION_NAME',
  'OS_CLIENT_CONFIG_FILE',
  'OS_CLIENT_SECURE_FILE',
  'OS_CLIENT_VENDOR_FILE',
]);

export interface LoadOptions {
  /** Name in clouds.yaml. Default: OS_CLOUD, else the OS_* variables, else the only cloud of the file. */
  cloud?: string | undefined;
  /** Region in place of the file's and OS_REGION_NAME. */
  region?: string | undefined;
  /** Default: the process's environment, folder and home. */
  surroundings?: Partial<Surroundings> | undefined;
}

/** Reads clouds.yaml, secure.yaml, clouds-public.yaml and OS_* as openstacksdk does. Throws ConfigError. */
export function loadConfig(options: LoadOptions = {}): CloudConfig {
  const around: Surroundings = { ...systemSurroundings(), ...options.surroundings };
  const files = candidates('clouds', around);
  const clouds = cloudsOf(mergeMappings(readFirst(files), readFirst(candidates('secure', around))), 'clouds.yaml');
  const fromEnv = cloudOfEnvironment(around.env);
  const envName = around.env.OS_CLOUD_NAME || 'envvars';
  if (fromEnv !== undefined) {
    if (clouds[envName] !== undefined) {
      throw new ConfigError(
        `clouds.yaml has a cloud '${envName}', the name that the OS_* variables take; set OS_CLOUD_NAME to another`,
      );
    }
    clouds[envName] = fromEnv;
  }
  const wanted = options.cloud ?? (around.env.OS_CLOUD || (fromEnv !== undefined ? envName : undefined));
  const region = options.region ?? (around.env.OS_REGION_NAME || undefined);
  return pick(clouds, wanted, region, {
    vendors: () => readFirst(candidates('clouds-public', around)),
    source: fromEnv !== undefined && wanted === envName ? 'OS_* variables' : 'clouds.yaml',
    looked: files,
  });
}

/** One cloud of a clouds.yaml given as text, as in a Secret. Without a name it must have only one. No other file and no variable is looked at. */
export function cloudFromText(text: string, cloud?: string): CloudConfig {
  const document = parseMapping(text, 'clouds.yaml');
  return pick(cloudsOf(document, 'clouds.yaml'), cloud, undefined, {
    vendors: () => ({}),
    source: 'clouds.yaml',
    looked: [],
  });
}

function cloudsOf(document: Mapping, source: string): Mapping {
  const clouds = document.clouds ?? {};
  if (!isMapping(clouds)) throw new ConfigError(`${source}: 'clouds' must be a mapping of cloud names`);
  return { ...clouds };
}

function pick(
  clouds: Mapping,
  wanted: string | undefined,
  region: string | undefined,
  from: { vendors: () => Mapping; source: string; looked: readonly string[] },
): CloudConfig {
  const names = Object.keys(clouds);
  const name = wanted ?? (names.length === 1 ? names[0] : undefined);
  if (name === undefined) {
    throw new ConfigError(
      names.length === 0
        ? `no cloud is configured: there are no OS_* variables, and no clouds in ${from.looked.join(', ') || from.source}`
        : `several clouds are configured (${names.sort().join(', ')}): name one with OS_CLOUD`,
    );
  }
  let cloud = clouds[name];
  if (cloud === undefined) {
    throw new ConfigError(`no cloud '${name}' in ${from.source}; it has: ${names.sort().join(', ') || 'none'}`);
  }
  if (!isMapping(cloud)) throw new ConfigError(`cloud '${name}' (${from.source}) must be a mapping`);
  const profile = cloud.profile ?? cloud.cloud;
  if (typeof profile === 'string') {
    const publicClouds = from.vendors()['public-clouds'];
    const vendor = isMapping(publicClouds) ? publicClouds[profile] : undefined;
    if (!isMapping(vendor)) {
      throw new ConfigError(`cloud '${name}' (${from.source}): no profile '${profile}' in clouds-public.yaml`);
    }
    cloud = mergeMappings(vendor, cloud);
  }
  const config = toCloudConfig(cloud as Mapping, name, from.source);
  if (region !== undefined) config.region = region;
  return config;
}

/** The cloud that OS_* variables describe; undefined when they only choose one. */
function cloudOfEnvironment(env: Surroundings['env']): Mapping | undefined {
  const names = Object.keys(env).filter((name) => /^OS_(?!TEST|STD|LOG)/.test(name) && env[name]);
  if (names.every((name) => SELECTORS.has(name))) return undefined;
  return Object.fromEntries(
    names.filter((name) => name !== 'OS_CLOUD').map((name) => [name.slice('OS_'.length).toLowerCase(), env[name]]),
  );
}
