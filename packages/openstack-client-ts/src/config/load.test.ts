import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cloudFromText, type LoadOptions, loadConfig } from './load.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'clouds-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function file(path: string, text: string): string {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
  return full;
}

/** Loads with a home and a working folder inside the test's own. */
function load(env: Record<string, string> = {}, options: LoadOptions = {}) {
  return loadConfig({ ...options, surroundings: { env, cwd: join(root, 'cwd'), home: join(root, 'home') } });
}

const cloud = (name: string, more = '') => `
clouds:
  ${name}:
    auth: { auth_url: "http://${name}.example:5000", username: u, password: p, project_name: pr }
    ${more}
`;

describe('clouds.yaml', () => {
  it('is looked for in the working folder, then in ~/.config/openstack', () => {
    file('home/.config/openstack/clouds.yaml', cloud('user'));
    expect(load()).toMatchObject({ name: 'user' });
    file('cwd/clouds.yaml', cloud('here'));
    expect(load()).toMatchObject({ name: 'here', authUrl: 'http://here.example:5000' });
  });

  it('is the one that OS_CLIENT_CONFIG_FILE names before all', () => {
    file('cwd/clouds.yaml', cloud('here'));
    const other = file('other.yaml', cloud('other'));
    expect(load({ OS_CLIENT_CONFIG_FILE: other })).toMatchObject({ name: 'other' });
  });

  it('may also be .yml or .json', () => {
    file(
      'cwd/clouds.json',
      JSON.stringify({ clouds: { j: { auth: { auth_url: 'http://j', username: 'u', password: 'p' } } } }),
    );
    expect(load()).toMatchObject({ name: 'j' });
  });

  it('with several clouds needs OS_CLOUD or a name', () => {
    file('cwd/clouds.yaml', cloud('one') + cloud('two').replace('\nclouds:\n', ''));
    expect(load({ OS_CLOUD: 'two' })).toMatchObject({ name: 'two' });
    expect(load({ OS_CLOUD: 'two' }, { cloud: 'one' })).toMatchObject({ name: 'one' });
    expect(() => load()).toThrow('several clouds are configured (one, two): name one with OS_CLOUD');
    expect(() => load({ OS_CLOUD: 'three' })).toThrow("no cloud 'three' in clouds.yaml; it has: one, two");
  });

  it('gets its secrets from secure.yaml, and its rest from a profile in clouds-public.yaml', () => {
    file(
      'cwd/clouds.yaml',
      'clouds:\n  a:\n    profile: acme\n    auth: { username: u, project_name: pr }\n    region_name: mine',
    );
    file('home/.config/openstack/secure.yaml', 'clouds:\n  a:\n    auth: { password: hidden }');
    file(
      'cwd/clouds-public.yaml',
      'public-clouds:\n  acme:\n    auth: { auth_url: "https://acme" }\n    region_name: theirs\n    interface: internal',
    );
    expect(load()).toEqual({
      name: 'a',
      authUrl: 'https://acme',
      auth: { type: 'password', username: 'u', password: 'hidden', projectName: 'pr' },
      region: 'mine',
      interfaces: ['internal'],
    });
    file('cwd/clouds.yaml', 'clouds:\n  a:\n    profile: nobody\n    auth: {}');
    expect(() => load()).toThrow("no profile 'nobody' in clouds-public.yaml");
  });

  it('that is broken is told with its line, and without its content', () => {
    const broken = file('cwd/clouds.yaml', 'clouds:\n  a:\n    auth: { password: "geheim }\n');
    expect(() => load()).toThrow(`${broken} is not YAML`);
    expect(() => load()).not.toThrow(/geheim/);
  });
});

describe('OS_* variables', () => {
  const env = {
    OS_AUTH_URL: 'http://env:5000/v3',
    OS_USERNAME: 'u',
    OS_PASSWORD: 'p',
    OS_PROJECT_NAME: 'pr',
    OS_USER_DOMAIN_NAME: 'Users',
    OS_PROJECT_DOMAIN_ID: 'default',
    OS_REGION_NAME: 'one',
    OS_INTERFACE: 'internal',
    OS_CACERT: '/ca.pem',
    OS_COMPUTE_API_VERSION: '2.79',
    OS_NETWORK_ENDPOINT_OVERRIDE: 'http://net:9696',
    OS_UNUSED: '',
  };

  it('make a cloud of their own, which goes before the only one of the file', () => {
    file('cwd/clouds.yaml', cloud('here'));
    expect(load(env)).toEqual({
      name: 'envvars',
      authUrl: 'http://env:5000/v3',
      auth: {
        type: 'password',
        username: 'u',
        password: 'p',
        userDomainName: 'Users',
        projectName: 'pr',
        projectDomainId: 'default',
      },
      region: 'one',
      interfaces: ['internal'],
      caFile: '/ca.pem',
      microversions: { compute: '2.79' },
      endpointOverrides: { network: 'http://net:9696' },
    });
  });

  it('are not mixed into a cloud that OS_CLOUD names, but for the region', () => {
    file('cwd/clouds.yaml', cloud('here', 'region_name: theirs'));
    const chosen = load({ ...env, OS_CLOUD: 'here' });
    expect(chosen).toMatchObject({ name: 'here', authUrl: 'http://here.example:5000', region: 'one' });
    expect(chosen.caFile).toBeUndefined();
  });

  it('that only choose describe no cloud', () => {
    expect(() => load({ OS_REGION_NAME: 'one' })).toThrow(/no cloud is configured: there are no OS_\* variables/);
  });

  it('are refused when the file has a cloud of their name', () => {
    file('cwd/clouds.yaml', cloud('envvars'));
    expect(() => load(env)).toThrow(/set OS_CLOUD_NAME to another/);
    expect(load({ ...env, OS_CLOUD_NAME: 'mine' })).toMatchObject({ name: 'mine', authUrl: 'http://env:5000/v3' });
  });
});

describe('a cloud as text', () => {
  const auth = 'auth_url: "http://k:5000"';
  const one = (yaml: string) => cloudFromText(`clouds:\n  a: ${yaml}`);

  it('is read with its application credential, named or guessed', () => {
    const credential = 'application_credential_id: i, application_credential_secret: s';
    const expected = { type: 'application-credential', id: 'i', secret: 's' };
    expect(one(`{ auth_type: v3applicationcredential, auth: { ${auth}, ${credential} } }`).auth).toEqual(expected);
    expect(one(`{ auth: { ${auth}, ${credential} } }`).auth).toEqual(expected);
  });

  it('is read with a token', () => {
    expect(one(`{ auth_type: token, auth: { ${auth}, token: t, project_id: p } }`).auth).toEqual({
      type: 'token',
      token: 't',
      projectId: 'p',
    });
  });

  it('is read with endpoints, interfaces, microversions and TLS', () => {
    const pem = '-----BEGIN CERTIFICATE-----';
    expect(
      one(
        `{ auth: { ${auth}, username: u, password: p }, interface: [internalURL, public], network_interface: admin, verify: "False", cacert: "${pem}", cert: /c.pem, key: /k.pem, volumev3_endpoint_override: "http://v/v3/p", load_balancer_endpoint_override: "http://lb", compute_default_microversion: "2.60", compute_api_version: 2 }`,
      ),
    ).toMatchObject({
      interfaces: ['internal', 'public'],
      serviceInterfaces: { network: ['admin'] },
      verify: false,
      ca: pem,
      certFile: '/c.pem',
      keyFile: '/k.pem',
      endpointOverrides: { 'block-storage': 'http://v/v3/p', 'load-balancer': 'http://lb' },
      microversions: { compute: '2.60' },
    });
  });

  it('takes domain_name and default_domain for user and project', () => {
    const user = 'username: u, password: p, project_name: pr';
    expect(one(`{ auth: { ${auth}, ${user}, default_domain: d } }`).auth).toMatchObject({
      userDomainId: 'd',
      projectDomainId: 'd',
    });
    expect(one(`{ auth: { ${auth}, ${user}, domain_name: D } }`).auth).toMatchObject({
      userDomainName: 'D',
      projectDomainName: 'D',
    });
    expect(one(`{ auth: { ${auth}, username: u, password: p, domain_name: D } }`).auth).toMatchObject({
      domainName: 'D',
    });
  });

  it.each([
    ['{ auth: { username: u } }', /auth_url is missing/],
    [`{ auth: { ${auth}, username: u } }`, /password is missing for auth_type password/],
    [`{ auth: { ${auth}, password: geheim } }`, /username is missing/],
    ['{ auth: { auth_url: "k:5000", username: u, password: p } }', /auth_url 'k:5000' is not an http/],
    [`{ auth_type: v3oidcpassword, auth: { ${auth} } }`, /auth_type 'v3oidcpassword' is not supported/],
    [`{ auth: { ${auth}, username: u, password: p }, interface: inner }`, /interface 'inner' is none of/],
    [
      `{ auth: { ${auth}, username: u, password: p }, compute_default_microversion: newest }`,
      /is not of the form 2.79/,
    ],
    [
      `{ auth_type: v3applicationcredential, auth: { ${auth}, application_credential_secret: s } }`,
      /application_credential_id/,
    ],
  ])('says what is wrong with %s', (yaml, message) => {
    expect(() => one(yaml)).toThrow(message);
    expect(() => one(yaml)).toThrow(/cloud 'a' \(clouds.yaml\)/);
    expect(() => one(yaml)).not.toThrow(/geheim/);
  });

  it('needs a name when there are several', () => {
    expect(() => cloudFromText(cloud('one') + cloud('two').replace('\nclouds:\n', ''))).toThrow(/several clouds/);
    expect(cloudFromText(cloud('one') + cloud('two').replace('\nclouds:\n', ''), 'two').name).toBe('two');
  });
});
