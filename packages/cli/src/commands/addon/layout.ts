import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MEDIA_TYPES, type OciManifest, type PackedBundle, readConfig, sha256 } from '@shoto/bundle';
import { CliError, EXIT } from '../../errors.ts';

const LAYOUT = 'oci-layout';
const TITLE = 'org.opencontainers.image.ref.name';

/** Writes a packed bundle as an OCI image layout, which other tools read too. @throws {CliError} where the folder is not empty */
export async function writeLayout(dir: string, p: PackedBundle): Promise<void> {
  await mkdir(join(dir, 'blobs/sha256'), { recursive: true });
  if ((await readdir(dir)).length > 1 || (await readdir(join(dir, 'blobs/sha256'))).length > 0)
    throw new CliError(EXIT.usage, `${dir} is not empty: name a new folder`);
  for (const bytes of [p.manifest, p.config, p.layer])
    await writeFile(join(dir, 'blobs/sha256', sha256(bytes).slice('sha256:'.length)), bytes);
  const descriptor = {
    mediaType: MEDIA_TYPES.manifest,
    digest: p.digest,
    size: p.manifest.length,
    artifactType: MEDIA_TYPES.artifact,
    annotations: { [TITLE]: p.version },
  };
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [descriptor] };
  await writeFile(join(dir, 'index.json'), JSON.stringify(index));
  await writeFile(join(dir, LAYOUT), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

/** Whether a folder is an OCI image layout. */
export const isLayout = async (dir: string): Promise<boolean> =>
  (await readdir(dir).catch(() => [] as string[])).includes(LAYOUT);

/** Reads a packed bundle out of an OCI image layout. @throws {CliError} where it is broken */
export async function readLayout(dir: string): Promise<PackedBundle> {
  const broken = (what: string) => new CliError(EXIT.failed, `${dir}: ${what}: pack the bundle anew`);
  const blob = async (digest: string): Promise<Uint8Array> => {
    if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw broken(`${digest} is no digest`);
    const bytes = new Uint8Array(await readFile(join(dir, 'blobs/sha256', digest.slice('sha256:'.length))));
    if (sha256(bytes) !== digest) throw broken(`what lies under ${digest} is something else`);
    return bytes;
  };
  const index = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8')) as { manifests?: { digest: string }[] };
  const [first, more] = index.manifests ?? [];
  if (!first || more) throw broken('it must hold one bundle');
  const manifest = await blob(first.digest);
  const oci = JSON.parse(Buffer.from(manifest).toString('utf8')) as Partial<OciManifest>;
  const config = await blob(String(oci.config?.digest));
  const layer = await blob(String(oci.layers?.[0]?.digest));
  const { name, version } = readConfig(config);
  return { name, version, digest: first.digest, manifest, config, layer };
}
