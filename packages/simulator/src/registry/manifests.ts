import { RegistryError } from './error.ts';
import { type Ask, type Desk, type Reply, wholeBody } from './message.ts';
import { digestOf } from './names.ts';
import type { ManifestEntry, Repository } from './store/repositories.ts';

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const KNOWN = [IMAGE, INDEX, DOCKER, DOCKER_LIST];
const MAX_BYTES = 4 * 1024 * 1024;

interface Descriptor {
  digest: string;
}
interface Manifest {
  schemaVersion?: number;
  mediaType?: string;
  artifactType?: string;
  config?: Descriptor & { mediaType: string };
  layers?: Descriptor[];
  manifests?: Descriptor[];
  subject?: Descriptor;
  annotations?: Record<string, string>;
}

const isTag = (reference: string): boolean => !reference.includes(':');

function digestMeant(repository: Repository | undefined, ask: Ask): string {
  if (isTag(ask.reference)) {
    const digest = repository?.tags.get(ask.reference);
    if (digest === undefined) throw new RegistryError('MANIFEST_UNKNOWN', `unknown tag=${ask.reference}`);
    return digest;
  }
  return ask.reference;
}

/** `GET` and `HEAD` of a manifest by tag or digest. OCI manifests are given only to who accepts them, as by other registries. */
export async function getManifest(desk: Desk, ask: Ask): Promise<Reply> {
  const repository = desk.repositories.get(ask.name);
  const digest = digestMeant(repository, ask);
  const match = ask.headers['if-none-match'];
  if (match === digest || match === `"${digest}"`) return { status: 304 };
  const entry = repository?.manifests.get(digest);
  const content = entry && (await desk.contents.read(digest));
  if (!content) throw new RegistryError('MANIFEST_UNKNOWN', `unknown manifest name=${ask.name} revision=${digest}`);
  const accepts = (ask.headers.accept ?? '').split(',').map((t) => t.split(';')[0]?.trim());
  for (const [type, what] of [
    [IMAGE, 'OCI manifest found, but accept header does not support OCI manifests'],
    [INDEX, 'OCI index found, but accept header does not support OCI indexes'],
  ] as const)
    if (entry.mediaType === type && !accepts.includes(type))
      throw new RegistryError('MANIFEST_UNKNOWN', undefined, { message: what });
  return {
    status: 200,
    headers: { 'Content-Type': entry.mediaType, 'Docker-Content-Digest': digest, Etag: `"${digest}"` },
    body: content,
  };
}

function parsed(content: Buffer, mediaType: string): Manifest {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(content.toString('utf8')) as Manifest;
  } catch {
    throw new RegistryError('MANIFEST_INVALID', 'the content is no JSON');
  }
  if (manifest.mediaType !== undefined && manifest.mediaType !== mediaType)
    throw new RegistryError(
      'MANIFEST_INVALID',
      `the content is ${manifest.mediaType}, its type was said to be ${mediaType}`,
    );
  return manifest;
}

/** What a manifest names has to be there. */
function checkParts(repository: Repository | undefined, manifest: Manifest): void {
  const blobs = [manifest.config, ...(manifest.layers ?? [])].flatMap((d) => (d ? [d.digest] : []));
  const missing = [
    ...blobs.filter((d) => !repository?.blobs.has(d)),
    ...(manifest.manifests ?? []).map((d) => d.digest).filter((d) => !repository?.manifests.has(d)),
  ];
  if (missing[0] !== undefined) throw new RegistryError('MANIFEST_BLOB_UNKNOWN', missing[0]);
}

/** `PUT` of a manifest by tag or digest. */
export async function putManifest(desk: Desk, ask: Ask): Promise<Reply> {
  const content = await wholeBody(ask);
  if (content.length > MAX_BYTES) throw new RegistryError('MANIFEST_INVALID', 'manifest size exceeds 4 MiB');
  const mediaType = ask.headers['content-type'] ?? '';
  if (!KNOWN.includes(mediaType))
    throw new RegistryError('MANIFEST_INVALID', `unsupported manifest media type: ${mediaType}`);
  const manifest = parsed(content, mediaType);
  const digest = digestOf(content);
  if (!isTag(ask.reference) && ask.reference !== digest) throw new RegistryError('DIGEST_INVALID');
  checkParts(desk.repositories.get(ask.name), manifest);
  const { subject, annotations } = manifest;
  const artifactType = manifest.artifactType ?? manifest.config?.mediaType;
  const entry: ManifestEntry = {
    mediaType,
    size: content.length,
    ...(subject ? { subject: subject.digest } : {}),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations ? { annotations } : {}),
  };
  await desk.contents.write(digest, content);
  await desk.repositories.change(ask.name, (r) => {
    r.manifests.set(digest, entry);
    if (isTag(ask.reference)) r.tags.set(ask.reference, digest);
  });
  return {
    status: 201,
    headers: {
      Location: `${ask.base}/v2/${ask.name}/manifests/${digest}`,
      'Docker-Content-Digest': digest,
      ...(subject && desk.referrers ? { 'OCI-Subject': subject.digest } : {}),
    },
  };
}

/** `DELETE` of a tag, or of a manifest with its tags. */
export async function deleteManifest(desk: Desk, ask: Ask): Promise<Reply> {
  const repository = desk.repositories.get(ask.name);
  if (isTag(ask.reference)) {
    if (!repository?.tags.has(ask.reference))
      throw new RegistryError('MANIFEST_UNKNOWN', `unknown tag=${ask.reference}`);
    await desk.repositories.change(ask.name, (r) => r.tags.delete(ask.reference));
    return { status: 202 };
  }
  if (!repository?.manifests.has(ask.reference)) throw new RegistryError('MANIFEST_UNKNOWN');
  await desk.repositories.change(ask.name, (r) => {
    r.manifests.delete(ask.reference);
    for (const [tag, digest] of r.tags) if (digest === ask.reference) r.tags.delete(tag);
  });
  return { status: 202 };
}
