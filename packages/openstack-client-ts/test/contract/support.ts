import { randomBytes } from 'node:crypto';
import {
  ConflictError,
  connect,
  createClient,
  EndpointNotFoundError,
  type ImageInfo,
  ignoreNotFound,
  type Network,
  type OpenStack,
  waitUntil,
} from '../../src/index.ts';

/** The cloud under test, or why there is none. */
export type Subject = { cloud: OpenStack; missing?: undefined } | { cloud?: undefined; missing: string };

const configured = Boolean(process.env.OS_CLOUD || process.env.OS_CLIENT_CONFIG_FILE || process.env.OS_AUTH_URL);

/** Connects to the cloud that the environment names. A cloud that is named and does not answer is a failure, not a skip. */
export async function subject(service?: 'blockStorage' | 'loadBalancer' | 'placement'): Promise<Subject> {
  if (!configured) return { missing: 'no cloud: set OS_CLOUD and OS_CLIENT_CONFIG_FILE' };
  const cloud = await connect({ timeoutMs: 60_000, userAgent: 'contract-tests' });
  if (service !== undefined) {
    try {
      await cloud[service].client.endpoint();
    } catch (error) {
      if (!(error instanceof EndpointNotFoundError)) throw error;
      await cloud.close();
      return { missing: error.message };
    }
  }
  return { cloud };
}

/** The cloud as an administrator, for what an ordinary user may not. */
export async function administrator(): Promise<Subject> {
  const name = process.env.CONTRACT_ADMIN_CLOUD;
  if (!configured || !name) return { missing: 'no administrator: set CONTRACT_ADMIN_CLOUD to a cloud of clouds.yaml' };
  return { cloud: await connect({ cloud: name, timeoutMs: 60_000 }) };
}

/** The title of a suite, with the reason when it is skipped. */
export function title(name: string, subject: Subject): string {
  return subject.missing === undefined ? name : `${name} (skipped: ${subject.missing})`;
}

/** The cloud, once the suite is known to run. */
export function cloudOf(subject: Subject): OpenStack {
  if (!subject.cloud) throw new Error(subject.missing);
  return subject.cloud;
}

/** A name nobody else has. */
export function unique(what: string): string {
  return `contract-${what}-${randomBytes(4).toString('hex')}`;
}

/** A locally administered MAC nobody else has. */
export function uniqueMac(): string {
  return ['fa', '16', '3e', ...randomBytes(3).toString('hex').match(/../g)!].join(':');
}

/** Undoes what a suite did, last first, and waits until each thing is gone. */
export class Cleanup {
  readonly #steps: { what: string; undo: () => Promise<unknown>; look: (() => Promise<unknown>) | undefined }[] = [];

  /** `look` throws NotFoundError when it is gone; without it `undo` is enough. */
  add(what: string, undo: () => Promise<unknown>, look?: () => Promise<unknown>): void {
    this.#steps.push({ what, undo, look });
  }

  async run(): Promise<void> {
    for (const step of this.#steps.reverse()) {
      await waitUntil(() => done(step.undo), { what: `${step.what} to be free for deletion`, timeoutMs: 120_000 });
      const { look } = step;
      if (look) await waitUntil(() => gone(look), { what: `${step.what} to be gone`, timeoutMs: 120_000 });
    }
  }
}

async function done(undo: () => Promise<unknown>): Promise<true | undefined> {
  try {
    await ignoreNotFound(undo());
    return true;
  } catch (error) {
    // Something that goes at this moment still holds it.
    if (error instanceof ConflictError) return undefined;
    throw error;
  }
}

/** True when it is gone: 404, or (Octavia keeps the record for a while) DELETED. */
export async function gone(look: () => Promise<unknown>): Promise<true | undefined> {
  const seen = (await ignoreNotFound(look())) as { provisioning_status?: string; status?: string } | undefined;
  return seen === undefined || seen.provisioning_status === 'DELETED' || seen.status === 'DELETED' ? true : undefined;
}

/** A network with one subnet, deleted by the cleanup. */
export async function aNetwork(cloud: OpenStack, cleanup: Cleanup, cidr = '10.77.0.0/24') {
  const { networks, subnets } = cloud.network;
  const network = await networks.create({ name: unique('net') });
  cleanup.add(
    'network',
    () => networks.delete(network.id),
    () => networks.get(network.id),
  );
  const subnet = await subnets.create({ network_id: network.id, ip_version: 4, cidr, name: unique('subnet') });
  return { network, subnet };
}

/** What a server needs to be made: a flavor (CONTRACT_FLAVOR, an id, or the smallest that holds the image) and an image. */
export async function aServerKind(cloud: OpenStack): Promise<{ flavorRef: string; imageRef: string }> {
  const image = await anImage(cloud);
  const wanted = process.env.CONTRACT_FLAVOR;
  if (wanted) return { flavorRef: wanted, imageRef: image.id };
  const bytes = Math.max(image.size ?? 0, image.virtual_size ?? 0, image.min_disk * 2 ** 30);
  const flavors = (await cloud.compute.flavors.list().all())
    .filter((flavor) => (flavor.disk === 0 || flavor.disk * 2 ** 30 >= bytes) && flavor.ram >= image.min_ram)
    .sort((a, b) => a.ram - b.ram || a.vcpus - b.vcpus);
  if (!flavors[0]) throw new Error(`no flavor has a disk for the image ${image.id}`);
  return { flavorRef: flavors[0].id, imageRef: image.id };
}

/** An image that boots, or CONTRACT_IMAGE (an id). */
async function anImage(cloud: OpenStack): Promise<ImageInfo> {
  const wanted = process.env.CONTRACT_IMAGE;
  if (wanted) return await cloud.image.images.get(wanted);
  for await (const image of cloud.image.images.list({ status: 'active' })) {
    // Kernels and ramdisks are images too.
    if (image.disk_format !== 'aki' && image.disk_format !== 'ari') return image;
  }
  throw new Error('the cloud has no image to boot from');
}

/** A client for a project of its own, so that quotas can be played with and nobody else is hurt. */
export async function aProject(admin: OpenStack, cleanup: Cleanup): Promise<{ cloud: OpenStack; projectId: string }> {
  const { projects, users, roles } = admin.identity;
  const project = await projects.create({ name: unique('project'), domain_id: 'default' });
  cleanup.add(
    'project',
    () => projects.delete(project.id),
    () => projects.get(project.id),
  );
  const password = unique('password');
  const user = await users.create({ name: unique('user'), password, domain_id: 'default' });
  cleanup.add(
    'user',
    () => users.delete(user.id),
    () => users.get(user.id),
  );
  const role = await roles.findByName('member');
  await admin.identity.grantRole({ projectId: project.id, userId: user.id, roleId: role?.id ?? '' });
  const auth = { type: 'password', userId: user.id, password, projectId: project.id } as const;
  const cloud = createClient({ ...admin.config, auth });
  cleanup.add('client', () => cloud.close());
  return { cloud, projectId: project.id };
}

/** The external network, or CONTRACT_EXTERNAL_NETWORK (an id). */
export async function anExternalNetwork(cloud: OpenStack): Promise<Network> {
  const wanted = process.env.CONTRACT_EXTERNAL_NETWORK;
  if (wanted) return await cloud.network.networks.get(wanted);
  const network = await cloud.network.networks.list({ 'router:external': true }).first();
  if (!network) throw new Error('the cloud has no external network');
  return network;
}
