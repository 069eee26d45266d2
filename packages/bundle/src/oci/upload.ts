import { sha256 } from '../json.ts';
import { RegistryError } from './error.ts';
import { type Answer, discard, first, type Transport } from './transport.ts';

export interface TransferOptions {
  /** How much is sent in one request, in bytes. Default 5 MiB. */
  chunkBytes: number;
  /** How often in a row it may fail without getting on. */
  attempts: number;
  /** Waits. @param ms - milliseconds */
  sleep: (ms: number) => Promise<void>;
}

/** Waits of a registry longer than this are for who calls. */
const LONGEST_WAIT_MS = 10_000;

/**
 * Runs a transfer until it is through: after a failure that may pass it is called again, and goes on where it was.
 *
 * @param progress - how far it is: as long as that grows, failures do not add up
 */
export async function persist<T>(o: TransferOptions, progress: () => number, step: () => Promise<T>): Promise<T> {
  let failures = 0;
  let reached = progress();
  for (;;) {
    try {
      return await step();
    } catch (e) {
      if (!(e instanceof RegistryError) || e.kind !== 'retryable') throw e;
      if (progress() > reached) failures = 0;
      reached = Math.max(reached, progress());
      failures += 1;
      const wait = Math.max(e.retryAfterMs ?? 0, 200 * 2 ** (failures - 1));
      if (failures >= o.attempts || wait > LONGEST_WAIT_MS) throw e;
      await o.sleep(wait);
    }
  }
}

/** Whether a repository has a blob. */
export async function hasBlob(t: Transport, repository: string, digest: string): Promise<boolean> {
  const what = `blob ${digest.slice(0, 19)} of ${repository}`;
  const answer = await t.send({ method: 'HEAD', url: `/v2/${repository}/blobs/${digest}`, what, ok: [200, 404] });
  await discard(answer);
  return answer.status === 200;
}

/**
 * Brings a blob to a repository, in pieces. What is there already is not sent again; an upload that breaks off is gone on with
 * where the registry says that it stands.
 *
 * @returns bytes that were sent
 * @throws {RegistryError}
 */
export async function pushBlob(
  t: Transport,
  repository: string,
  bytes: Uint8Array,
  o: TransferOptions,
): Promise<number> {
  const digest = sha256(bytes);
  const what = `upload to ${repository}`;
  let sent = 0;
  let at: { url: string; offset: number; sure: boolean } | undefined;
  const step = async (): Promise<void> => {
    // Asked again after each failure: the last answer may be what was lost.
    if (await hasBlob(t, repository, digest)) return;
    if (at && !at.sure) at = await standing(t, at.url, what);
    if (!at) {
      const begun = await t.send({
        method: 'POST',
        url: `/v2/${repository}/blobs/uploads/`,
        what,
        ok: [202],
        body: NOTHING,
      });
      at = { url: locationOf(begun, what, t), offset: 0, sure: true };
      await discard(begun);
      o = { ...o, chunkBytes: Math.max(o.chunkBytes, Number(first(begun.headers['oci-chunk-min-length']) ?? 0) || 0) };
    }
    while (bytes.length - at.offset > o.chunkBytes) {
      const piece = bytes.subarray(at.offset, at.offset + o.chunkBytes);
      at.sure = false;
      const headers = {
        'content-type': 'application/octet-stream',
        'content-range': `${at.offset}-${at.offset + piece.length - 1}`,
      };
      const patched: Answer = await t.send({
        method: 'PATCH',
        url: at.url,
        headers,
        body: piece,
        what,
        ok: [202, 404, 416],
      });
      if (patched.status !== 202) {
        await discard(patched);
        at = undefined;
        throw lost(t, what);
      }
      sent += piece.length;
      at = { url: locationOf(patched, what, t), offset: at.offset + piece.length, sure: true };
      await discard(patched);
    }
    const rest = bytes.subarray(at.offset);
    at.sure = false;
    const url = `${at.url}${at.url.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
    const headers = {
      'content-type': 'application/octet-stream',
      ...(rest.length > 0 ? { 'content-range': `${at.offset}-${bytes.length - 1}` } : {}),
    };
    const put = await t.send({ method: 'PUT', url, headers, body: rest, what, ok: [201, 404, 416] });
    await discard(put);
    if (put.status !== 201) {
      at = undefined;
      throw lost(t, what);
    }
    sent += rest.length;
  };
  await persist(o, () => at?.offset ?? 0, step);
  return sent;
}

const NOTHING = new Uint8Array();

const lost = (t: Transport, what: string): RegistryError =>
  new RegistryError('RegistryFailed', `${t.host}: ${what}: the registry has lost the upload`, { kind: 'retryable' });

/** Where an upload goes on; a location may be a path only. */
function locationOf(a: Answer, what: string, t: Transport): string {
  const location = first(a.headers.location);
  if (!location || !URL.canParse(location, a.url))
    throw new RegistryError('BadAnswer', `${t.host}: ${what}: the answer has no Location`, { kind: 'terminal' });
  return new URL(location, a.url).href;
}

/** How far an upload is; undefined where the registry does not know it any more. */
async function standing(
  t: Transport,
  url: string,
  what: string,
): Promise<{ url: string; offset: number; sure: boolean } | undefined> {
  const answer = await t.send({ method: 'GET', url, what, ok: [204, 200, 400, 404, 405] });
  await discard(answer);
  if (answer.status >= 400) return undefined;
  const last = /^(?:bytes=)?0-(\d+)$/.exec(first(answer.headers.range) ?? '')?.[1];
  // `0-0` is said of an upload that has nothing; one of a single byte is sent anew as well.
  if (last === undefined || last === '0') return undefined;
  const location = first(answer.headers.location);
  return { url: location ? new URL(location, answer.url).href : url, offset: Number(last) + 1, sure: true };
}
