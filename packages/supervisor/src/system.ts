import { randomBytes } from 'node:crypto';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { declareFirstStart } from '@shoto/reconciler';
import { admissionWebhook, type Cloud, catalogue, simulatedCloud, simulatedClouds, TENANT } from './cloud.ts';
import { type Daemon, isAlive, killDaemons, readyLine, startDaemon, stopDaemons, tail } from './daemon.ts';
import { makeInternalPki, makeManagementTokens, SERVICES, type ServiceName } from './identity.ts';
import { freeLoopbackSlice, freePorts } from './ports.ts';
import { startRedis } from './redis.ts';
import { applySeeds, bundles, documents, documentsIn, type Seed } from './seed.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from './simulator.ts';

/** The project's own folder. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** What a system is started with; by default everything is embedded. */
export interface SystemOptions {
  /** Where its files and logs lie. Made anew. */
  dir: string;
  /** A real management cluster; simulated where absent. Its users are `admin` and `shoto:<service>`. */
  management?: { kubeconfig(user: string): string };
  /** A real cloud; simulated where absent. */
  cloud?: Cloud;
  simulator?: SimulatorOptions;
  /** Addons of `deploy/addons` whose bundles are kept in ConfigMaps from the start; all where absent. Others may come by a registry. */
  inlineAddons?: readonly string[];
  /** More environment for every service, such as a log level. */
  env?: Record<string, string>;
  /** Told what is being started, in a few words. */
  say?: (what: string) => void;
  /** Told of a process that ended though nobody asked it to. Default: said on standard error. */
  onDeath?: (d: Daemon) => void;
}

/** How often the processes are looked at. */
const WATCH_MS = 1000;

/** A running system. */
export interface System {
  dir: string;
  /** Base URL of the REST API. */
  apiUrl: string;
  /** Tokens: `demo` is of the team, `admin` of the administrators. */
  tokens: { demo: string; admin: string };
  tenant: string;
  /** kubeconfig of the management cluster's administrator, as text. */
  managementKubeconfig: string;
  cloudsYaml: string;
  redisUrl: string;
  simulator: Simulator | undefined;
  /** Every process, in the order of start. */
  daemons: Daemon[];
  /** URLs of /healthz, /readyz and /metrics. */
  opsUrls: Record<ServiceName, string>;
  /** Ends one service at once, as a crash would. */
  kill(service: ServiceName): Promise<void>;
  /** Starts a service again. */
  start(service: ServiceName): Promise<void>;
  /** Ends everything, in order. Safe to repeat. */
  stop(): Promise<void>;
}

/** Environment that a process of ours gets: nothing of the user's own OpenStack or Kubernetes settings. */
const cleanEnv = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).filter(([k, v]) => v !== undefined && !/^(OS_|KUBE|SHOTO_)/.test(k)),
  ) as Record<string, string>;

/** Starts Redis, simulator (as far as it is wanted) and every service, and fills in the catalogue. */
export async function startSystem(o: SystemOptions): Promise<System> {
  const say = o.say ?? (() => {});
  const dir = o.dir;
  await rm(dir, { recursive: true, force: true });
  for (const d of ['logs', 'pki', 'kube']) await mkdir(join(dir, d), { recursive: true });
  await chmod(dir, 0o700);
  const node = join(ROOT, 'node_modules/.bin/node');
  const env = cleanEnv();
  const [
    redisPort,
    managementPort,
    openstackPort,
    registryPort,
    bootstrapPort,
    provisionerPort,
    apiPort,
    webhookPort,
    ...opsPorts
  ] = await freePorts(8 + SERVICES.length);
  const checkInHost = o.cloud?.checkInHost ?? '127.0.0.1';
  const [checkInPort] = await freePorts(1, checkInHost);
  const daemons: Daemon[] = [];
  let watch: NodeJS.Timeout | undefined;
  const stop = () => {
    clearInterval(watch);
    return stopSystem(daemons);
  };
  try {
    const pki = await makeInternalPki(join(dir, 'pki'));
    say('redis');
    daemons.push(await startRedis({ port: redisPort!, dir, env }));
    const redisUrl = `redis://127.0.0.1:${redisPort}/0`;
    await declareFirstStart({ url: redisUrl });

    const managementUrl = `https://127.0.0.1:${managementPort}`;
    const tokens = await makeManagementTokens(join(dir, 'kube'), managementUrl, pki.ca.certificate);
    let simulator: Simulator | undefined;
    if (!o.management || !o.cloud) {
      say('simulator');
      const { cert, key } = pki.files('simulator');
      simulator = await startSimulator({
        root: ROOT,
        dir,
        node,
        env,
        openstackPort: openstackPort!,
        registryPort: registryPort!,
        externalCidr: await freeLoopbackSlice(),
        ...(o.management
          ? {}
          : { management: { port: managementPort!, certFile: cert, keyFile: key, tokensFile: tokens.file } }),
        options: o.simulator ?? {},
      });
      daemons.push(simulator.daemon);
    }
    const kubeconfigOf = o.management ? (user: string) => o.management!.kubeconfig(user) : tokens.kubeconfig;
    const cloud = o.cloud ?? simulatedCloud(simulator!.openstackUrl);

    say('catalogue');
    const admin = kubeconfigOf('admin');
    await applySeeds(admin, await seeds(cloud, checkInPort!, o.inlineAddons));

    const people = { demo: randomBytes(16).toString('hex'), admin: randomBytes(16).toString('hex') };
    const tokensFile = join(dir, 'tokens.csv');
    await writeFile(
      tokensFile,
      `# token,user,groups,expiry\n${people.demo},demo,tenant:${TENANT},\n${people.admin},admin,shoto:admins,\n`,
      { mode: 0o600 },
    );

    const opsUrls = Object.fromEntries(SERVICES.map((s, i) => [s, `http://127.0.0.1:${opsPorts[i]}`])) as Record<
      ServiceName,
      string
    >;
    const own: Record<ServiceName, Record<string, string>> = {
      'bootstrap-worker': {
        SHOTO_CHECKIN_ADDRESS: `${checkInHost}:${checkInPort}`,
        SHOTO_BOOTSTRAP_ADDRESS: `127.0.0.1:${bootstrapPort}`,
      },
      provisioner: {
        SHOTO_BOOTSTRAP_URL: `https://127.0.0.1:${bootstrapPort}`,
        SHOTO_PROVISIONER_ADDRESS: `127.0.0.1:${provisionerPort}`,
      },
      'self-healing': {},
      'addon-manager': { SHOTO_BUNDLE_CACHE_DIR: join(dir, 'bundles') },
      'cluster-api': {
        SHOTO_API_ADDRESS: `127.0.0.1:${apiPort}`,
        SHOTO_WEBHOOK_ADDRESS: `127.0.0.1:${webhookPort}`,
        SHOTO_TOKENS_FILE: tokensFile,
        SHOTO_BOOTSTRAP_URL: `https://127.0.0.1:${bootstrapPort}`,
        SHOTO_PROVISIONER_URL: `https://127.0.0.1:${provisionerPort}`,
      },
    };
    const start = async (service: ServiceName): Promise<void> => {
      const kubeconfigFile = join(dir, 'kube', `${service}.kubeconfig`);
      await writeFile(kubeconfigFile, kubeconfigOf(`shoto:${service}`), { mode: 0o600 });
      const { cert, key } = pki.files(service);
      const { daemon } = await startDaemon(
        {
          name: service,
          command: node,
          args: [join(ROOT, 'services', service, 'src/main.ts')],
          env: {
            ...env,
            SHOTO_KUBECONFIG: kubeconfigFile,
            SHOTO_REDIS_URL: redisUrl,
            SHOTO_OPS_ADDRESS: opsUrls[service].slice('http://'.length),
            SHOTO_INTERNAL_CA_FILE: pki.caFile,
            SHOTO_INTERNAL_CERT_FILE: cert,
            SHOTO_INTERNAL_KEY_FILE: key,
            ...own[service],
            ...o.env,
          },
          logFile: join(dir, 'logs', `${service}.log`),
        },
        readyLine,
      );
      const at = daemons.findIndex((d) => d.name === service);
      if (at >= 0) daemons.splice(at, 1, daemon);
      else daemons.push(daemon);
    };
    say('services');
    await Promise.all(SERVICES.map(start));
    const onDeath =
      o.onDeath ??
      ((d) => console.error(`${d.name} has ended by itself; its log ${d.logFile} ends with:\n${tail(d.logFile)}`));
    const told = new Set<number>();
    watch = setInterval(() => {
      for (const d of daemons) {
        if (told.has(d.pid) || isAlive(d)) continue;
        told.add(d.pid);
        onDeath(d);
      }
    }, WATCH_MS);
    watch.unref();
    await applySeeds(admin, [admissionWebhook(webhookPort!, pki.ca.certificate)]);
    return {
      dir,
      apiUrl: `http://127.0.0.1:${apiPort}`,
      tokens: people,
      tenant: TENANT,
      managementKubeconfig: admin,
      cloudsYaml: simulator ? simulatedClouds(simulator.openstackUrl) : cloud.cloudsYaml,
      redisUrl,
      simulator,
      daemons,
      opsUrls,
      kill: async (service) => {
        const at = daemons.findIndex((x) => x.name === service);
        if (at >= 0) await killDaemons(daemons.splice(at, 1));
      },
      start,
      stop,
    };
  } catch (e) {
    await stop();
    throw e;
  }
}

async function seeds(cloud: Cloud, checkInPort: number, inlineAddons?: readonly string[]): Promise<Seed[]> {
  return [
    ...(await documentsIn(join(ROOT, 'crds'))),
    ...(await documents(join(ROOT, 'deploy/namespaces.yaml'))),
    ...(await documents(join(ROOT, 'deploy/rbac.yaml'))),
    ...catalogue(cloud, checkInPort),
    ...(await bundles(join(ROOT, 'deploy/addons'), 'shoto-system', inlineAddons)),
  ];
}

/** Services end first, while what they need still answers; then simulator and Redis. */
export async function stopSystem(daemons: Pick<Daemon, 'pid' | 'started' | 'name'>[]): Promise<void> {
  const isService = (d: { name: string }) => (SERVICES as readonly string[]).includes(d.name);
  await stopDaemons(daemons.filter(isService));
  await stopDaemons(daemons.filter((d) => !isService(d)));
}
