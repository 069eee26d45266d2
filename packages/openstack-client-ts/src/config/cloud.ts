import { homedir } from 'node:os';
import { ConfigError } from '../errors.ts';
import type { ServiceName } from '../types.ts';
import { isMapping, type Mapping } from './documents.ts';
import type { AuthScope, CloudConfig, Interface } from './types.ts';

/** How clouds.yaml and OS_* spell the services, as prefixes of keys: `compute_endpoint_override`. */
const PREFIXES: Record<ServiceName, readonly string[]> = {
  identity: ['identity'],
  compute: ['compute'],
  network: ['network'],
  image: ['image'],
  'block-storage': ['block_storage', 'volumev3', 'volume'],
  'load-balancer': ['load_balancer'],
  placement: ['placement'],
};
const SERVICES = Object.keys(PREFIXES) as ServiceName[];

/** Keys that belong under `auth`, and may be beside it in old files and are so in OS_* variables. */
const AUTH_KEYS = [
  'auth_url',
  'username',
  'user_id',
  'password',
  'token',
  'user_domain_id',
  'user_domain_name',
  'project_id',
  'project_name',
  'project_domain_id',
  'project_domain_name',
  'tenant_id',
  'tenant_name',
  'domain_id',
  'domain_name',
  'default_domain_id',
  'default_domain_name',
  'default_domain',
  'system_scope',
  'trust_id',
  'application_credential_id',
  'application_credential_name',
  'application_credential_secret',
];

/** One cloud of clouds.yaml, already merged, to a configuration. `source` stands in messages. */
export function toCloudConfig(cloud: Mapping, name: string, source: string): CloudConfig {
  const auth = authOf(cloud);
  const fail = (message: string): never => {
    throw new ConfigError(`cloud '${name}' (${source}): ${message}`);
  };
  const text = (key: string): string | undefined => asText(auth[key]);
  const authUrl = text('auth_url') ?? fail('auth_url is missing');
  if (!URL.canParse(authUrl) || !/^https?:$/.test(new URL(authUrl).protocol)) {
    fail(`auth_url '${authUrl}' is not an http(s) address`);
  }
  const config: CloudConfig = { name, authUrl, auth: authMethod(cloud, text, fail) };
  const region = asText(cloud.region_name) ?? onlyRegion(cloud.regions);
  if (region !== undefined) config.region = region;
  const interfaces = interfacesOf(cloud.interface ?? cloud.endpoint_type, fail);
  if (interfaces) config.interfaces = interfaces;
  for (const service of SERVICES) {
    for (const prefix of [...PREFIXES[service]].reverse()) readService(config, cloud, service, prefix, fail);
  }
  readTls(config, cloud);
  return config;
}

function authOf(cloud: Mapping): Mapping {
  const auth: Mapping = {};
  for (const key of AUTH_KEYS) {
    if (asText(cloud[key]) !== undefined) auth[key] = cloud[key];
  }
  if (isMapping(cloud.auth)) Object.assign(auth, cloud.auth);
  auth.project_id ??= auth.tenant_id;
  auth.project_name ??= auth.tenant_name;
  return auth;
}

function authMethod(
  cloud: Mapping,
  text: (key: string) => string | undefined,
  fail: (message: string) => never,
): CloudConfig['auth'] {
  const type = asText(cloud.auth_type) ?? asText(cloud.auth_plugin) ?? guessAuthType(text);
  const need = (key: string): string => text(key) ?? fail(`${key} is missing for auth_type ${type}`);
  switch (type) {
    case 'password':
    case 'v3password':
      if (text('user_id') === undefined) need('username');
      return { type: 'password', password: need('password'), ...userOf(text), ...scopeOf(text) };
    case 'v3applicationcredential': {
      const secret = need('application_credential_secret');
      const id = text('application_credential_id');
      if (id !== undefined) return { type: 'application-credential', id, secret };
      if (text('user_id') === undefined && text('username') === undefined) {
        fail('application_credential_id, or application_credential_name with a user, is missing');
      }
      return { type: 'application-credential', name: need('application_credential_name'), secret, ...userOf(text) };
    }
    case 'token':
    case 'v3token':
      return { type: 'token', token: need('token'), ...scopeOf(text) };
    default:
      return fail(
        `auth_type '${type}' is not supported; these are: password, v3password, v3applicationcredential, token, v3token`,
      );
  }
}

function guessAuthType(text: (key: string) => string | undefined): string {
  // openstacksdk falls back on password; a file with only an application credential in it is meant all the same.
  if (text('application_credential_secret') !== undefined && text('password') === undefined)
    return 'v3applicationcredential';
  return text('token') !== undefined && text('password') === undefined ? 'token' : 'password';
}

type UserFields = { userId?: string; username?: string; userDomainId?: string; userDomainName?: string };

function userOf(text: (key: string) => string | undefined): UserFields {
  const user: UserFields = {};
  assign(user, 'userId', text('user_id'));
  assign(user, 'username', text('username'));
  // A domain of its own, else the default, else that which is given for everything.
  assign(user, 'userDomainId', text('user_domain_id') ?? (text('user_domain_name') ? undefined : defaultDomain(text)));
  assign(user, 'userDomainName', text('user_domain_name') ?? (user.userDomainId ? undefined : text('domain_name')));
  return user;
}

function scopeOf(text: (key: string) => string | undefined): AuthScope {
  const scope: AuthScope = {};
  const inProject = text('project_id') !== undefined || text('project_name') !== undefined;
  assign(scope, 'projectId', text('project_id'));
  assign(scope, 'projectName', text('project_name'));
  const ownDomain = text('project_domain_name');
  assign(scope, 'projectDomainId', text('project_domain_id') ?? (ownDomain ? undefined : defaultDomain(text)));
  assign(scope, 'projectDomainName', ownDomain ?? (scope.projectDomainId ? undefined : text('domain_name')));
  assign(scope, 'trustId', text('trust_id'));
  assign(scope, 'systemScope', text('system_scope'));
  // Beside a project, domain_id and domain_name only say where names are looked up.
  if (!inProject && scope.systemScope === undefined) {
    assign(scope, 'domainId', text('domain_id'));
    assign(scope, 'domainName', text('domain_name'));
  }
  return scope;
}

function defaultDomain(text: (key: string) => string | undefined): string | undefined {
  return text('default_domain_id') ?? text('default_domain') ?? text('domain_id');
}

function assign<T, K extends keyof T>(target: T, key: K, value: T[K] | undefined): void {
  if (value !== undefined) target[key] = value;
}

/** Scalars as text; empty is as good as missing, as in an `export OS_X=`. */
function asText(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function onlyRegion(regions: unknown): string | undefined {
  if (!Array.isArray(regions) || regions.length === 0) return undefined;
  return isMapping(regions[0]) ? asText(regions[0].name) : asText(regions[0]);
}

function interfacesOf(value: unknown, fail: (message: string) => never): Interface[] | undefined {
  const names = (Array.isArray(value) ? value : [value]).map(asText).filter((name) => name !== undefined);
  if (names.length === 0) return undefined;
  return names.map((given) => {
    const name = given.replace(/URL$/, '');
    if (name === 'public' || name === 'internal' || name === 'admin') return name;
    return fail(`interface '${given}' is none of public, internal, admin`);
  });
}

function readService(
  config: CloudConfig,
  cloud: Mapping,
  service: ServiceName,
  prefix: string,
  fail: (message: string) => never,
): void {
  const override = asText(cloud[`${prefix}_endpoint_override`]) ?? asText(cloud[`${prefix}_endpoint`]);
  if (override !== undefined) {
    if (!URL.canParse(override)) fail(`${prefix}_endpoint_override '${override}' is not an address`);
    config.endpointOverrides = { ...config.endpointOverrides, [service]: override };
  }
  const interfaces = interfacesOf(cloud[`${prefix}_interface`], fail);
  if (interfaces) config.serviceInterfaces = { ...config.serviceInterfaces, [service]: interfaces };
  const version =
    asText(cloud[`${prefix}_default_microversion`]) ?? microversionOf(asText(cloud[`${prefix}_api_version`]), service);
  if (version !== undefined) {
    if (!/^\d+\.\d+$/.test(version)) fail(`${prefix}_default_microversion '${version}' is not of the form 2.79`);
    config.microversions = { ...config.microversions, [service]: version };
  }
}

/** `compute_api_version` is mostly "2" or "2.1", the API itself; a higher minor is meant as a microversion. */
function microversionOf(version: string | undefined, service: ServiceName): string | undefined {
  if (version === undefined || !['compute', 'block-storage', 'placement'].includes(service)) return undefined;
  const [, minor] = version.split('.');
  if (minor === undefined || minor === '0') return undefined;
  return service === 'compute' && minor === '1' ? undefined : version;
}

function readTls(config: CloudConfig, cloud: Mapping): void {
  const file = (key: string) => asText(cloud[key])?.replace(/^~(?=\/)/, homedir());
  const pem = (value: string | undefined) => value?.includes('-----BEGIN') === true;
  const ca = file('cacert');
  if (pem(ca)) assign(config, 'ca', ca);
  else assign(config, 'caFile', ca);
  const cert = file('cert');
  if (pem(cert)) assign(config, 'cert', cert);
  else assign(config, 'certFile', cert);
  const key = file('key');
  if (pem(key)) assign(config, 'key', key);
  else assign(config, 'keyFile', key);
  const verify = asText(cloud.verify)?.toLowerCase();
  const insecure = asText(cloud.insecure)?.toLowerCase();
  if (insecure !== undefined && ['true', '1', 'yes'].includes(insecure)) config.verify = false;
  else if (verify !== undefined) config.verify = !['false', '0', 'no'].includes(verify);
}
