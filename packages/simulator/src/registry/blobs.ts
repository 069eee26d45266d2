import { RegistryError } from './error.ts';
import type { Ask, Desk, Reply } from './message.ts';
import { isDigest } from './names.ts';

async function find(desk: Desk, ask: Ask): Promise<Buffer> {
  if (!isDigest(ask.reference)) throw new RegistryError('DIGEST_INVALID', `${ask.reference} is no digest`);
  const content = desk.repositories.get(ask.name)?.blobs.has(ask.reference)
    ? await desk.contents.read(ask.reference)
    : undefined;
  if (!content) throw new RegistryError('BLOB_UNKNOWN', ask.reference);
  return content;
}

/** The bytes that `Range` asks for, first and last; undefined for all. */
function rangeOf(header: string | undefined, size: number): [number, number] | undefined | 'invalid' | 'beyond' {
  if (header === undefined) return undefined;
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return 'invalid';
  if (first === '') return size === 0 ? 'beyond' : [Math.max(0, size - Number(last)), size - 1];
  if (Number(first) >= size) return 'beyond';
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return end < Number(first) ? 'invalid' : [Number(first), end];
}

/** `GET` and `HEAD` of a blob, whole or a range of it. */
export async function getBlob(desk: Desk, ask: Ask): Promise<Reply> {
  const content = await find(desk, ask);
  const etag = `"${ask.reference}"`;
  const headers: Record<string, string> = {
    'Docker-Content-Digest': ask.reference,
    Etag: etag,
    'Cache-Control': 'max-age=31536000',
  };
  if (ask.headers['if-none-match'] === etag) return { status: 304, headers };
  Object.assign(headers, { 'Accept-Ranges': 'bytes', 'Content-Type': 'application/octet-stream' });
  const range = ask.operation === 'blob.get' ? rangeOf(ask.headers.range, content.length) : undefined;
  if (range === undefined) return { status: 200, headers, body: content };
  if (range === 'invalid' || range === 'beyond') {
    const words = range === 'invalid' ? 'invalid range' : 'invalid range: failed to overlap';
    return {
      status: 416,
      headers: {
        ...(range === 'beyond' ? { 'Content-Range': `bytes */${content.length}` } : {}),
        'Docker-Content-Digest': ask.reference,
        'Content-Type': 'text/plain; charset=utf-8',
      },
      body: `${words}\n`,
    };
  }
  const [first, last] = range;
  headers['Content-Range'] = `bytes ${first}-${last}/${content.length}`;
  return { status: 206, headers, body: content.subarray(first, last + 1) };
}

/** `DELETE` of a blob: this repository has it no longer. */
export async function deleteBlob(desk: Desk, ask: Ask): Promise<Reply> {
  if (!isDigest(ask.reference)) throw new RegistryError('DIGEST_INVALID', `${ask.reference} is no digest`);
  if (!desk.repositories.get(ask.name)?.blobs.has(ask.reference)) throw new RegistryError('BLOB_UNKNOWN');
  await desk.repositories.change(ask.name, (r) => r.blobs.delete(ask.reference));
  return { status: 202 };
}
