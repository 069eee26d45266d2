import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  ADDON_CREDENTIALS,
  type AddonBundle,
  AddonBundleKind,
  addonCredentialsRef,
  type Cluster,
  parseObject,
} from '@shoto/api';
import { type EventRecord, type HasMeta, KubeClient, type KubeObject, NAMESPACES, SECRETS } from '@shoto/kube';
import { createLogger, systemClock } from '@shoto/service';
import { type ApplicationCredential, cloudFromText, createClient, type OpenStack } from 'openstack-client-ts';
import { RegionCloud } from '../cloud/region-cloud.ts';
import type { ClusterPass } from '../cluster/pass.ts';
import { type Deps, TIMES } from '../deps.ts';
import { type Infrastructure, Memory } from '../memory.ts';
import { References } from '../region/references.ts';
import { aCluster } from './builders.ts';
import {
  checkOpenStackConfig,
  createApiServer,
  createOpenStackSimulator,
  type OpenStackSimulator,
} from './simulators.ts';

/** The UID of the scene's Cluster. */
export const UID = '0f2d4c1e-5b7a-4a53-9d0c-3f1a2b4c5d6e';

/** What is otherwise about a pass. */
export interface PassOptions {
  /** The process dies at this call to the outside, counted from 1: before an odd one is made, after an even one is answered. */
  dieAt?: number;
  /** As stored; default what the last pass that ended stored. */
  infra?: Infrastructure;
  bundles?: AddonBundle[];
  /** Fields of the Cluster. */
  cluster?: { addons?: object[]; status?: object };
  emergencyStop?: boolean;
  /** Calls as somebody else than the project's user. */
  client?: OpenStack;
  /** Fields of the Region's spec. */
  region?: object;
}

/** One Cluster with its network, in a simulated cloud and management cluster, and a clock that is set by hand. */
export interface AddonScene {
  cloud: OpenStackSimulator;
  user: OpenStack;
  /** `shoto` with a clouds.yaml of another kind. */
  as: (auth: object) => OpenStack;
  kube: KubeClient;
  events: EventRecord[];
  /** Everything that was logged. */
  logs: string[];
  stored: () => Infrastructure;
  /** One pass of a process that has just started. */
  pass: (work: (pass: ClusterPass) => Promise<unknown>, o?: PassOptions) => Promise<void>;
  /** One more pass of the process of the pass before. */
  again: (work: (pass: ClusterPass) => Promise<unknown>, o?: PassOptions) => Promise<void>;
  later: (ms: number) => void;
  /** Application credentials of the cluster's addons, as Keystone has them. */
  credentials: () => Promise<ApplicationCredential[]>;
  /** The Secret, opened. */
  secret: () => Promise<Record<keyof typeof ADDON_CREDENTIALS, string> | undefined>;
  /** A client that uses what is in the Secret. */
  addon: () => Promise<OpenStack>;
  /** Requests to the cloud since the last time that it was asked. */
  requests: () => string[];
  close: () => Promise<void>;
}

/** A published bundle. */
export const aBundle = (addon: string, credentials?: 'openstack', version = '1.0.0'): AddonBundle =>
  parseObject(AddonBundleKind, {
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'AddonBundle',
    metadata: { name: `${addon}-${version}`, resourceVersion: '1' },
    spec: {
      addon,
      version,
      kubernetes: '>=1.35 <1.37',
      manifests: { digest: `sha256:${'0'.repeat(64)}`, configMapRef: { namespace: 'shoto-system', name: addon } },
      ...(credentials ? { credentials: [credentials] } : {}),
    },
  });

class Killed extends Error {}

/** Starts a scene. @param cloud - settings of the simulated cloud */
export async function startAddonScene(cloud: object = {}): Promise<AddonScene> {
  const simulator = createOpenStackSimulator({ config: checkOpenStackConfig(cloud) });
  const { url } = await simulator.listen();
  const api = createApiServer({
    authn: { staticTokens: [{ token: 'admin', user: 'admin', groups: ['system:masters'] }] },
  });
  const http = createServer((request, response) => void api.handle(request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const kube = new KubeClient({
    connection: { server: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, token: 'admin' },
    userAgent: 'test',
  });
  const secretRef = addonCredentialsRef('shoto-system', UID);
  await kube.create<KubeObject>(NAMESPACES, { metadata: { name: secretRef.namespace } });
  const clients: OpenStack[] = [];
  const as = (auth: object): OpenStack => {
    const clouds = { c: { auth: { auth_url: `${url}/identity`, ...auth }, region_name: 'RegionOne' } };
    const isCredential = 'application_credential_id' in auth;
    const more = isCredential ? { auth_type: 'v3applicationcredential' } : {};
    const client = createClient(cloudFromText(JSON.stringify({ clouds: { c: { ...clouds.c, ...more } } }), 'c'));
    clients.push(client);
    return client;
  };
  const user = as({
    username: 'shoto',
    password: 'shoto',
    project_name: 'shoto',
    user_domain_name: 'Default',
    project_domain_name: 'Default',
  });
  const network = await user.network.networks.create({ name: 'web' });
  const subnet = await user.network.subnets.create({ network_id: network.id, ip_version: 4, cidr: '10.8.0.0/24' });
  let stored: Infrastructure = { revision: 1, networkId: network.id, subnetId: subnet.id };
  let shift = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + shift };
  const events: EventRecord[] = [];
  const logs: string[] = [];
  const log = createLogger({ service: 'test', level: 'trace', destination: { write: (line) => void logs.push(line) } });
  let memory = new Memory();
  let runtime: { client: OpenStack; spec: string; region: ClusterPass['region'] } | undefined;

  const regionOf = (client: OpenStack, fields: object): ClusterPass['region'] => {
    const spec = JSON.stringify(fields);
    if (runtime?.client === client && runtime.spec === spec) return runtime.region;
    const door = new RegionCloud({ client, rateLimit: { requestsPerSecond: 1e6, burst: 1e6 }, clock, timeoutMs: 700 });
    const region = {
      region: {
        metadata: { name: 'r1' },
        spec: {
          openstack: { credentialsSecretRef: { namespace: 'shoto-regions', name: 'r1' } },
          externalNetwork: 'public',
          ...fields,
        },
      },
      cloud: door,
      references: new References({ cloud: door, region: 'r1', clock }),
      credentialRules: {},
    } as unknown as ClusterPass['region'];
    runtime = { client, spec, region };
    return region;
  };

  const run: AddonScene['pass'] = async (work, o = {}) => {
    const cluster = aCluster({ uid: UID, status: o.cluster?.status ?? {} }) as Cluster;
    cluster.spec.addons = (o.cluster?.addons ?? [{ name: 'cinder-csi' }]) as Cluster['spec']['addons'];
    const region = regionOf(o.client ?? user, o.region ?? {});
    let calls = 0;
    const point = (): void => {
      calls++;
      if (calls === o.dieAt) throw new Killed(`at call ${calls}`);
    };
    /** The object, with every call to it counted before and after. */
    const mortal = <T extends object>(target: T, methods: readonly string[]): T =>
      new Proxy(target, {
        get: (t, name) => {
          const value = Reflect.get(t, name, t) as unknown;
          if (typeof value !== 'function') return value;
          if (!methods.includes(String(name))) return value.bind(t);
          return async (...args: unknown[]) => {
            point();
            const answer: unknown = await value.apply(t, args);
            point();
            return answer;
          };
        },
      });
    const pass: ClusterPass = {
      d: {
        kube: mortal(kube, ['get', 'create', 'jsonPatch', 'delete']),
        bundles: () => o.bundles ?? [aBundle('cinder-csi', 'openstack')],
        emergencyStop: () => (o.emergencyStop ? 'unknown' : undefined),
        events: async (e: EventRecord) => void events.push(e),
        memory,
        clock,
        log,
        systemNamespace: 'shoto-system',
        installation: 'test-installation',
        times: TIMES,
      } as unknown as Deps,
      cluster,
      key: 'tenant-a/web',
      ref: { name: 'web', uid: UID },
      owner: { installation: 'test-installation', clusterUid: UID },
      region: { ...region, cloud: mortal(region.cloud, ['call', 'find', 'remove']) },
      machines: [],
      infra: structuredClone(o.infra ?? stored),
      memory: memory.cluster(UID),
      conditions: [],
      signal: new AbortController().signal,
    };
    // The identity of a region is what a pass goes by.
    if (o.dieAt === undefined) pass.region = region;
    await work(pass);
    stored = structuredClone(pass.infra);
  };

  const secret: AddonScene['secret'] = async () => {
    const object = await kube.get<HasMeta & { data: Record<string, string> }>(SECRETS, secretRef);
    if (!object) return undefined;
    const entries = Object.entries(ADDON_CREDENTIALS).map(([fact, key]) => [
      fact,
      Buffer.from(object.data[key] ?? '', 'base64').toString(),
    ]);
    return Object.fromEntries(entries) as Record<keyof typeof ADDON_CREDENTIALS, string>;
  };
  return {
    cloud: simulator,
    user,
    as,
    kube,
    events,
    logs,
    stored: () => structuredClone(stored),
    async pass(work, o) {
      memory = new Memory();
      runtime = undefined;
      await run(work, o);
    },
    again: run,
    later: (ms) => {
      shift += ms;
    },
    credentials: async () =>
      (await user.identity.applicationCredentials.list()).filter((c) => c.name.startsWith(`shoto-addons-${UID}`)),
    secret,
    async addon() {
      const held = await secret();
      return as({
        application_credential_id: held?.applicationCredentialId,
        application_credential_secret: held?.applicationCredentialSecret,
      });
    },
    requests() {
      const { requests } = simulator.state;
      const all = requests.list().flatMap((r) => Array<string>(r.count).fill(`${r.method} ${r.path}`));
      requests.reset();
      return all.sort();
    },
    async close() {
      await Promise.all([kube.close(), ...clients.map((c) => c.close())]);
      api.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
      await simulator.close();
    },
  };
}

/** Whether an error is the death of the process. */
export const isDeath = (e: unknown): boolean => e instanceof Killed || (e as Error)?.cause instanceof Killed;
