import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { $ } from 'zx';
import { kubernetesCache } from './cache.ts';
import type { OpenStackLab } from './openstack.ts';
import { Session } from './openstack-session.ts';

/** What Glance knows of an image, as far as it is asked here. */
interface GlanceImage {
  id: string;
  name: string;
  status: string;
  size: number | null;
  os_hash_algo: string | null;
  os_hash_value: string | null;
}

/**
 * Uploads a raw image under a name, public, unless that name has that very content already (size and SHA-512). Another
 * content under the name is replaced: machines made from it go on.
 *
 * @returns the image's UUID
 * @throws Error when the file is missing or Glance refuses
 */
export async function uploadImage(lab: OpenStackLab, name: string, file: string): Promise<string> {
  const session = await Session.open(lab.cloudsFile, 'admin');
  const { images } = (await session.json('image', 'GET', `/v2/images?name=${encodeURIComponent(name)}`)) as {
    images: GlanceImage[];
  };
  for (const image of images) {
    if (await holds(image, file)) return image.id;
    await session.json('image', 'DELETE', `/v2/images/${image.id}`);
  }
  const made = (await session.json('image', 'POST', '/v2/images', {
    name,
    disk_format: 'raw',
    container_format: 'bare',
    visibility: 'public',
  })) as GlanceImage;
  await session.upload('image', `/v2/images/${made.id}/file`, createReadStream(file, { highWaterMark: 1 << 20 }));
  return made.id;
}

/** `node`: with kubeadm, kubelet, kubectl; `plain`: without them; `addons`: a node with the images of addons too. */
export type NodeImageKind = 'node' | 'plain' | 'addons';

/**
 * The image of a Kubernetes node in this lab: built when the cache has none, or one of other parts (2 minutes with a root tree there, 4 without; binaries and
 * container images of kubernetes-build are made before, some 25 minutes with cold Go caches), uploaded when Glance has none. In the fake profile, where nothing
 * boots, the tiny image of the lab under that name.
 *
 * @param version - full Kubernetes version; default `v1.35.4`
 * @param from - versions that clusters come from: their kube-proxy and CoreDNS run on new nodes until an upgrade is through
 */
export async function ensureNodeImage(
  lab: OpenStackLab,
  version = 'v1.35.4',
  kind: NodeImageKind = 'node',
  from: readonly string[] = [],
): Promise<string> {
  const name = `${kind}-${version}`;
  if (lab.profile === 'fake') return await uploadImage(lab, name, join(lab.directory, 'node.img'));
  const file = join(kubernetesCache(), version, `${name}.raw`);
  // What is there and made from what is in the cache now stays as it is.
  for (const v of [version, ...from]) await build('--minor', v.replace(/^v(\d+\.\d+)\..*$/, '$1'));
  if (kind === 'addons') await build('--only', 'addons');
  const also = from.flatMap((v) => ['--also', v]);
  const flags = ['--version', version, ...also, ...(kind === 'node' ? [] : [`--${kind}`])];
  await $({ stdio: ['ignore', process.stderr, process.stderr] })`${join(import.meta.dirname, 'node-image')} ${flags}`;
  return await uploadImage(lab, name, file);
}

/** Runs kubernetes-build; what is there is not built again. */
const build = (...flags: string[]) =>
  $({ stdio: ['ignore', process.stderr, process.stderr] })`${join(import.meta.dirname, 'kubernetes-build')} ${flags}`;

async function holds(image: GlanceImage, file: string): Promise<boolean> {
  if (image.status !== 'active' || image.size !== (await stat(file)).size || image.os_hash_algo !== 'sha512')
    return false;
  const hash = createHash('sha512');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex') === image.os_hash_value;
}
