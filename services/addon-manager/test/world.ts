import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type Addon,
  type AddonBundle,
  type Cluster,
  FINALIZERS,
  type KubernetesRelease,
  type Region,
} from '@shoto/api';
import { type EventRecord, KubeClient } from '@shoto/kube';
import type { Outcome } from '@shoto/reconciler';
import { type ApiServer, createApiServer, type Intercepted } from '@shoto/simulator';
import { parse } from 'yaml';
import { KindFinder } from '../src/apply/kinds.ts';
import { digestOfFiles, readInline } from '../src/content/inline.ts';
import { BundleStore } from '../src/content/store.ts';
import type { Deps } from '../src/deps.ts';
import { observe } from '../src/drift/observe.ts';
import { Memory } from '../src/memory.ts';
import { reconcile } from '../src/reconcile.ts';

/** A simulated API server with its client, and the changing requests that it got. */
interface Side {
  api: ApiServer;
  client: KubeClient;
  /** `PATCH /path`, in order. */
  writes: string[];
  /** What happens to requests from now on. */
  disturb(how: ((r: { method: string; path: string }) => Intercepted) | undefined): void;
  close(): Promise<void>;
}

async function startSide(): Promise<Side> {
  const writes: string[] = [];
  let how: ((r: { method: string; path: string }) => Intercepted) | undefined;
  const api = createApiServer({
    authn: { staticTokens: [{ token: 't', user: 'shoto:addon-manager', groups: ['system:masters'] }] },
    intercept: async (r) => {
      const fault = how?.(r);
      if (r.method !== 'GET' && !fault) writes.push(`${r.method} ${r.path}`);
      return fault;
    },
  });
  const server = createServer((req, res) => void api.handle(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new KubeClient({
    connection: { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 't' },
    userAgent: 'shoto-addon-manager',
  });
  return {
    api,
    client,
    writes,
    disturb: (next) => {
      how = next;
    },
    async close() {
      await client.close();
      api.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A management cluster with one Cluster, `web`, and that cluster's own API server. */
export interface World {
  management: Side;
  workload: Side;
  /** One pass of a process that has seen everything; the same process until `restart`. */
  pass(): Promise<Outcome>;
  /** Lets so many seconds pass. */
  later: (seconds: number) => void;
  restart(): void;
  cluster(): Cluster | undefined;
  addons(): Addon[];
  /** Conditions of the Cluster's addons, as `status reason: message`. */
  standing(): Record<string, string>;
  /** The same of one Addon. */
  standingOf(addon: string): Record<string, string>;
  /** Passes until nothing more is asked for soon, with everything rolled out as soon as it is there. */
  settle(): Promise<void>;
  /** Publishes a bundle of files. */
  publishFiles(name: string, files: Record<string, string>, spec?: object): void;
  /** In how many milliseconds passes were asked for because the status of an object changed. */
  wakes: number[];
  /** Events that were recorded. */
  events: EventRecord[];
  /** Waits until the watches of the workload cluster have told what was changed there. */
  noticed(): Promise<void>;
  /** The emergency stop of the fleet. */
  stop: boolean;
  publish(name: string, spec?: object, manifests?: string): void;
  /** Sets whether the DaemonSets run: those whose image is not `broken`. */
  rollOut(available: number): void;
  /** Whether the kubeconfig of addon-manager is there. */
  kubeconfig: boolean;
  close(): Promise<void>;
}

/** The manifests of a bundle: a namespace first, then what lies in it. */
export const MANIFESTS = `# made by nobody
apiVersion: v1
kind: Namespace
metadata: { name: kube-flannel }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, namespace: kube-flannel }
data: { net: "{{podCIDR}}", api: "https://{{apiHost}}:{{apiPort}}" }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: flannel, namespace: kube-flannel }
spec:
  selector: { matchLabels: { app: flannel } }
  template:
    metadata: { labels: { app: flannel } }
    spec: { containers: [{ name: flannel, image: "{{imageRepository}}/flannel:1" }] }
`;
export const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

const crds = new URL('../../../crds/', import.meta.url);

/** Starts a world with release v1.35.4 and a Cluster whose control plane is up, that asks for flannel. */
export async function startWorld(
  addons: object[] = [{ name: 'flannel' }],
  finalizers: string[] = [FINALIZERS.addons, FINALIZERS.secrets],
): Promise<World> {
  const [management, workload] = await Promise.all([startSide(), startSide()]);
  const definitions = management.api.resource({
    group: 'apiextensions.k8s.io',
    version: 'v1',
    plural: 'customresourcedefinitions',
  });
  for (const f of readdirSync(crds)) definitions.create(parse(readFileSync(new URL(f, crds), 'utf8')) as never);
  const of = (plural: string) => management.api.resource({ group: 'shoto.dev', version: 'v1alpha1', plural });
  const core = (plural: string) => management.api.resource({ group: '', version: 'v1', plural });
  for (const name of ['tenant-blue', 'shoto-system'])
    core('namespaces').create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } } as never);
  const kind = (k: string, name: string, spec: object, metadata = {}) =>
    ({ apiVersion: 'shoto.dev/v1alpha1', kind: k, metadata: { name, ...metadata }, spec }) as never;
  of('kubernetesreleases').create(
    kind('KubernetesRelease', 'v1.35.4', { version: 'v1.35.4', images: [{ region: 'one', image: 'i' }] }),
  );
  const place = { namespace: 'tenant-blue', name: 'web' };
  of('clusters').create(
    kind(
      'Cluster',
      'web',
      { region: 'one', release: 'v1.35.4', controlPlane: { count: 1, flavor: 'f' }, addons },
      { namespace: 'tenant-blue', ...(finalizers.length > 0 ? { finalizers } : {}) },
    ),
  );
  of('clusters').patchStatus(place, {
    controlPlane: { initialized: true },
    infrastructure: { endpoint: { internal: '10.8.0.5:6443', external: '127.9.0.1:6443' } },
  });

  const cluster = () => of('clusters').get(place) as unknown as Cluster | undefined;
  const all = () => of('addons').list({ namespace: 'tenant-blue' }) as unknown as Addon[];
  const events: EventRecord[] = [];
  const wakes: number[] = [];
  const timers = new Set<{ at: number; fn: () => void }>();
  let sights = 0;
  let seconds = 0;
  const time = () => Date.parse('2026-01-01T00:00:00Z') + 1000 * seconds;
  const process = () => {
    const memory = new Memory();
    const finder = new KindFinder();
    const watches = observe({
      memory,
      clock: {
        now: () => time(),
        after: (ms, fn) => {
          wakes.push(ms);
          timers.add({ at: time() + ms, fn });
          return () => {};
        },
      },
      onNews: () => {},
      onSight: () => sights++,
      onError: () => {},
    });
    return { memory, finder, watches, store: new BundleStore({ read: (b) => readInline(management.client, b) }) };
  };
  let own = process();
  const deps = (): Deps => ({
    client: management.client,
    systemNamespace: 'shoto-system',
    cluster: async () => asAnswered(cluster()),
    releases: () => of('kubernetesreleases').list() as unknown as KubernetesRelease[],
    region: (name) => of('regions').get({ name }) as unknown as Region | undefined,
    bundles: () => of('addonbundles').list() as unknown as AddonBundle[],
    addonsOf: (c) => structuredClone(all().filter((x) => x.spec.clusterName === c.metadata.name)),
    workload: async () => (world.kubeconfig ? workload.client : undefined),
    emergencyStop: () => (world.stop ? { stop: { reason: 'a test', by: 'ann', since: '' } } : undefined),
    watch: (c, client, types) => own.watches.watch(c.metadata.uid!, client, types),
    forget: async (uid) => {
      own.memory.forget(uid);
      await own.watches.forget(uid);
    },
    wrote: () => {},
    wroteAddon: () => {},
    events: (e) => events.push(e),
    now: () => {
      seconds++;
      return time();
    },
    store: own.store,
    finder: own.finder,
    memory: own.memory,
  });
  const conditionsOf = (conditions: { type: string; status: string; reason: string; message: string }[] = []) =>
    Object.fromEntries(conditions.map((c) => [c.type, `${c.status} ${c.reason}: ${c.message}`]));
  const world: World = {
    management,
    workload,
    kubeconfig: true,
    stop: false,
    events,
    wakes,
    cluster,
    addons: all,
    pass: () => reconcile(deps(), 'tenant-blue/web'),
    async settle() {
      for (let i = 0; i < 20; i++) {
        const outcome = await world.pass();
        if (outcome?.requeueAfterMs === undefined) return;
        world.rollOut(2);
      }
      throw new Error('it does not settle');
    },
    async noticed() {
      // A change of its own that the watches tell of after all that was before it.
      for (let quiet = 0, seen = -1; quiet < 3; ) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        quiet = sights === seen ? quiet + 1 : 0;
        seen = sights;
      }
    },
    later: (s) => {
      seconds += s;
      for (const t of timers) if (time() >= t.at && timers.delete(t)) t.fn();
    },
    restart: () => {
      void own.watches.close();
      own = process();
    },
    standing: () => conditionsOf(cluster()?.status?.addons?.conditions),
    standingOf: (name) => conditionsOf(all().find((x) => x.spec.addon === name)?.status?.manager?.conditions),
    publishFiles(name, files, spec = {}) {
      const data = Object.fromEntries(Object.entries(files).map(([path, text]) => [path.replaceAll('/', '__'), text]));
      core('configmaps').create({ metadata: { name, namespace: 'shoto-system' }, data } as never);
      const manifest = parse(files['bundle.yaml']!) as { name: string; version: string; kubernetes: string };
      const { name: addon, version, kubernetes, ...more } = manifest as Record<string, unknown>;
      const { channel, dependsOn, provides, credentials } = more;
      of('addonbundles').create(
        kind('AddonBundle', name, {
          addon,
          version,
          kubernetes,
          ...(channel ? { channel } : {}),
          ...(dependsOn ? { dependsOn } : {}),
          ...(provides ? { provides } : {}),
          ...(credentials ? { credentials } : {}),
          manifests: { digest: digestOfFiles(data), configMapRef: { namespace: 'shoto-system', name } },
          ...spec,
        }),
      );
    },
    publish(name, spec = {}, manifests = MANIFESTS) {
      core('configmaps').create({
        metadata: { name, namespace: 'shoto-system' },
        data: { 'manifests.yaml': manifests },
      } as never);
      const [addon, version] = [name.slice(0, name.indexOf('-')), name.slice(name.indexOf('-') + 1)];
      of('addonbundles').create(
        kind('AddonBundle', name, {
          addon,
          version,
          kubernetes: '>=1.35 <1.37',
          manifests: { digest: digestOf(MANIFESTS), configMapRef: { namespace: 'shoto-system', name } },
          health: [{ kind: 'DaemonSet', namespace: 'kube-flannel', name: 'flannel' }],
          ...spec,
        }),
      );
    },
    rollOut(available) {
      const sets = workload.api.resource({ group: 'apps', version: 'v1', plural: 'daemonsets' });
      for (const { metadata, spec } of sets.list()) {
        const { image } = (spec as { template: { spec: { containers: { image: string }[] } } }).template.spec
          .containers[0]!;
        const good = image.includes('broken') ? 0 : available;
        sets.patchStatus({ namespace: metadata.namespace!, name: metadata.name }, {
          observedGeneration: metadata.generation,
          currentNumberScheduled: 2,
          numberMisscheduled: 0,
          desiredNumberScheduled: 2,
          updatedNumberScheduled: 2,
          numberReady: good,
          numberAvailable: good,
        } as never);
      }
    },
    async close() {
      await own.watches.close();
      await Promise.all([management.close(), workload.close()]);
    },
  };
  return world;
}

/** As kube-apiserver answers: the fields of every object in order of their names. */
function asAnswered<T>(value: T): T {
  if (Array.isArray(value)) return value.map(asAnswered) as T;
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([name, field]) => [name, asAnswered(field)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))) as T;
}
