import { createHmac, timingSafeEqual } from 'node:crypto';
import { RegistryError } from './error.ts';
import type { Ask, Desk, Reply } from './message.ts';
import { digestOf, isDigest } from './names.ts';

/** What a Location carries: how far the upload was, so that a request with an old one is refused. */
interface State {
  name: string;
  id: string;
  offset: number;
}

const sign = (secret: string, text: string): Buffer => createHmac('sha256', secret).update(text).digest();

function packed(secret: string, state: State): string {
  const text = JSON.stringify(state);
  return Buffer.concat([sign(secret, text), Buffer.from(text)]).toString('base64url');
}

function unpacked(desk: Desk, ask: Ask): State {
  const bytes = Buffer.from(ask.query.get('_state') ?? '', 'base64url');
  const text = bytes.subarray(32).toString('utf8');
  if (bytes.length < 33 || !timingSafeEqual(bytes.subarray(0, 32), sign(desk.secret, text)))
    throw new RegistryError('BLOB_UPLOAD_INVALID', 'invalid secret');
  const state = JSON.parse(text) as State;
  if (state.name !== ask.name || state.id !== ask.reference) throw new RegistryError('BLOB_UPLOAD_INVALID');
  return state;
}

const locationOf = (desk: Desk, ask: Ask, id: string, offset: number): string =>
  `${ask.base}/v2/${ask.name}/blobs/uploads/${id}?_state=${packed(desk.secret, { name: ask.name, id, offset })}`;

function progress(desk: Desk, ask: Ask, status: number, id: string, size: number): Reply {
  return {
    status,
    headers: {
      Location: locationOf(desk, ask, id, size),
      'Docker-Upload-UUID': id,
      Range: `0-${Math.max(0, size - 1)}`,
    },
  };
}

function created(ask: Ask, digest: string): Reply {
  return {
    status: 201,
    headers: { Location: `${ask.base}/v2/${ask.name}/blobs/${digest}`, 'Docker-Content-Digest': digest },
  };
}

/** `POST .../blobs/uploads/`: an upload begins, or a blob of another repository is mounted. */
export async function startUpload(desk: Desk, ask: Ask): Promise<Reply> {
  const [mount, from] = [ask.query.get('mount'), ask.query.get('from')];
  if (mount && from && desk.repositories.get(from)?.blobs.has(mount)) {
    await desk.repositories.change(ask.name, (r) => r.blobs.add(mount));
    return created(ask, mount);
  }
  const id = desk.newId();
  await desk.contents.begin(id);
  return progress(desk, ask, 202, id, 0);
}

async function sizeOf(desk: Desk, ask: Ask): Promise<number> {
  const size = await desk.contents.uploadedSize(ask.reference);
  if (size === undefined) throw new RegistryError('BLOB_UPLOAD_UNKNOWN', 'blob upload unknown');
  return size;
}

/** `GET` of an upload: how far it is, and where it goes on. It asks for no state: this is how a broken upload is resumed. */
export async function uploadStatus(desk: Desk, ask: Ask): Promise<Reply> {
  return progress(desk, ask, 204, ask.reference, await sizeOf(desk, ask));
}

/** Looks whether a request goes on where the upload stands. @returns where that is */
async function resumed(desk: Desk, ask: Ask): Promise<number> {
  const state = unpacked(desk, ask);
  const size = await sizeOf(desk, ask);
  if (state.offset !== size) throw new RegistryError('RANGE_INVALID');
  return size;
}

function checkRange(ask: Ask, size: number): void {
  const range = ask.headers['content-range'];
  const length = ask.headers['content-length'];
  if (range === undefined || length === undefined) return;
  const [, first, last] = /^(\d+)-(\d+)$/.exec(range) ?? [];
  if (first === undefined || last === undefined)
    throw new RegistryError('UNKNOWN', `invalid content range format, expected [start]-[end], got: ${range}`);
  if (Number(first) > Number(last) || Number(first) !== size) throw new RegistryError('RANGE_INVALID');
  if (Number(length) !== Number(last) - Number(first) + 1) throw new RegistryError('SIZE_INVALID');
}

/** Takes the body in. What arrived before the connection broke is kept. */
async function take(desk: Desk, ask: Ask): Promise<void> {
  for await (const piece of ask.body) await desk.contents.append(ask.reference, piece);
}

/** `PATCH` of an upload: a chunk. */
export async function patchUpload(desk: Desk, ask: Ask): Promise<Reply> {
  const size = await resumed(desk, ask);
  const type = ask.headers['content-type'];
  if (type && type !== 'application/octet-stream') throw new RegistryError('UNKNOWN', 'bad Content-Type');
  checkRange(ask, size);
  await take(desk, ask);
  return progress(desk, ask, 202, ask.reference, await sizeOf(desk, ask));
}

/** `PUT` of an upload: it ends, with or without a last piece. Content of another digest is thrown away. */
export async function finishUpload(desk: Desk, ask: Ask): Promise<Reply> {
  const size = await resumed(desk, ask);
  checkRange(ask, size);
  const digest = ask.query.get('digest');
  if (!digest) throw new RegistryError('DIGEST_INVALID', 'digest missing');
  if (!isDigest(digest)) throw new RegistryError('DIGEST_INVALID', 'digest parsing failed');
  await take(desk, ask);
  const content = (await desk.contents.uploaded(ask.reference)) ?? Buffer.alloc(0);
  await desk.contents.forget(ask.reference);
  if (digestOf(content) !== digest)
    throw new RegistryError('DIGEST_INVALID', `${digest} is not the digest of what was sent`);
  await desk.contents.write(digest, content);
  await desk.repositories.change(ask.name, (r) => r.blobs.add(digest));
  return created(ask, digest);
}

/** `DELETE` of an upload. */
export async function cancelUpload(desk: Desk, ask: Ask): Promise<Reply> {
  await resumed(desk, ask);
  await desk.contents.forget(ask.reference);
  return { status: 204, headers: { 'Docker-Upload-UUID': ask.reference } };
}
