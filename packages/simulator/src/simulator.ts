import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createKeyPair } from '@shoto/pki';
import { ApiFaults } from './core/api-faults.ts';
import { SimulatorClock } from './core/clock.ts';
import { Random } from './core/random.ts';
import { createKubernetesServer, type KubernetesServer } from './kubernetes/http/serve.ts';
import { type ApiServer, createApiServer } from './kubernetes/index.ts';
import { orderedFault } from './kubernetes/ordered-faults.ts';
import { Machines } from './machines/index.ts';
import { readTokens, type SimulatorConfig } from './main-config.ts';
import { createOpenStackSimulator } from './openstack/simulator.ts';
import { createRegistry, type Registry, RegistryFaults } from './registry/index.ts';

/** A running simulator. */
interface RunningSimulator {
  /** Base URL of OpenStack. */
  openstack: string;
  /** Base URL of the admin API. */
  admin: string;
  /** Base URL of the management cluster's API, when there is one. */
  management?: string;
  /** Base URL of the registry, when there is one. */
  registry?: string;
  close(): Promise<void>;
}

interface Management {
  url: string;
  api: ApiServer;
  served: KubernetesServer;
}

/** The management cluster's API: kept on disk, with users by token. */
async function startManagement(c: NonNullable<SimulatorConfig['management']>, faults: ApiFaults): Promise<Management> {
  const staticTokens = readTokens(c.tokensFile);
  mkdirSync(c.dataDir, { recursive: true, mode: 0o700 });
  // Tokens of service accounts outlive a restart, so their key does.
  const keyFile = join(c.dataDir, 'service-account.key');
  if (!existsSync(keyFile)) writeFileSync(keyFile, (await createKeyPair()).privateKey, { mode: 0o600 });
  const cert = readFileSync(c.certFile, 'utf8');
  const api = createApiServer({
    name: 'management',
    version: c.version,
    directory: c.dataDir,
    authn: { staticTokens, serviceAccountKey: readFileSync(keyFile, 'utf8') },
    rootCa: cert,
    intercept: (r) => orderedFault(faults, () => ['management'], r),
  });
  const served = createKubernetesServer(
    { cert, key: readFileSync(c.keyFile, 'utf8') },
    (request, response) => void api.handle(request, response),
  );
  const { server } = served;
  const { address, port } = c.listen;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (e: Error) =>
      reject(
        new Error(
          `cannot listen on ${address}:${port} for the management cluster: ${e.message}; change management.listen`,
          { cause: e },
        ),
      ),
    );
    server.listen(port, address, resolve);
  });
  return { url: `https://${address}:${(server.address() as AddressInfo).port}`, api, served };
}

/** Starts the registry. */
async function startRegistry(
  c: NonNullable<SimulatorConfig['registry']>,
  shared: Pick<NonNullable<Parameters<typeof createRegistry>[0]>, 'faults' | 'requests'>,
): Promise<{ registry: Registry; url: string }> {
  const tls =
    c.certFile && c.keyFile
      ? { cert: readFileSync(c.certFile, 'utf8'), key: readFileSync(c.keyFile, 'utf8') }
      : undefined;
  const registry = await createRegistry({ ...c, tls, ...shared });
  const { address, port } = c.listen;
  try {
    return { registry, url: (await registry.listen(address, port)).url };
  } catch (e) {
    throw new Error(
      `cannot listen on ${address}:${port} for the registry: ${(e as Error).message}; change registry.listen`,
      { cause: e },
    );
  }
}

/** Starts all that a configuration asks for. @throws {Error} when an address cannot be listened on {ConfigError} for the token file */
export async function startSimulator(config: SimulatorConfig, say: (what: string) => void): Promise<RunningSimulator> {
  const clock = new SimulatorClock(config.openstack.clock);
  const random = new Random(config.openstack.seed);
  const apiFaults = new ApiFaults(clock, random.fork('api faults'));
  const management = config.management && (await startManagement(config.management, apiFaults));
  const registryFaults = new RegistryFaults(clock, random.fork('registry faults'));
  const cloud = createOpenStackSimulator({ config: config.openstack, clock, random, apiFaults, registryFaults });
  const registry =
    config.registry &&
    (await startRegistry(config.registry, { faults: registryFaults, requests: cloud.state.requests }));
  let machines: Machines | undefined;
  if (config.machines.enabled) {
    machines = new Machines({
      clock,
      latency: cloud.state.latency,
      random: random.fork('machines'),
      apiFaults,
      networkOf: (portId) => cloud.state.network.ports.get(portId)?.network_id,
      say,
    });
    cloud.state.hypervisor = machines;
    cloud.state.kubernetes.machines = machines;
    machines.follow(cloud.events);
  }
  const { url } = await cloud.listen();
  return {
    openstack: url,
    admin: `${url}/admin`,
    ...(management ? { management: management.url } : {}),
    ...(registry ? { registry: registry.url } : {}),
    async close() {
      machines?.close();
      clock.close();
      await cloud.close();
      await registry?.registry.close();
      if (!management) return;
      management.api.close();
      management.served.server.close();
      management.served.cut();
    },
  };
}
