import { createHash } from 'node:crypto';
import { RegistryError } from './error.ts';
import type { Descriptor } from './pack.ts';
import { type Answer, discard, first, type Transport } from './transport.ts';
import { persist, type TransferOptions } from './upload.ts';

/**
 * Fetches a blob. A transfer that breaks off goes on where it was (Range); what comes is as long as its descriptor says, and has its digest.
 *
 * @param max - the most that it may have, in bytes
 * @throws {RegistryError} `TooLarge` before anything is fetched, `DigestMismatch` where it is wrong twice, and what the transport throws
 */
export async function pullBlob(
  t: Transport,
  repository: string,
  d: Descriptor,
  max: number,
  o: TransferOptions,
): Promise<Uint8Array> {
  const what = `blob ${d.digest.slice(0, 19)} of ${repository}`;
  if (d.size > max)
    throw new RegistryError('TooLarge', `${t.host}: ${what}: has ${d.size} bytes, ${max} are allowed`, {
      kind: 'terminal',
    });
  const bytes = new Uint8Array(d.size);
  let have = 0;
  let wrong = 0;
  const step = async (): Promise<Uint8Array> => {
    for (;;) {
      if (have < d.size || d.size === 0) have = await receive(t, repository, d, bytes, have, what, (n) => (have = n));
      if (have === d.size && `sha256:${createHash('sha256').update(bytes).digest('hex')}` === d.digest) return bytes;
      have = 0;
      wrong += 1;
      if (wrong > 1)
        throw new RegistryError(
          'DigestMismatch',
          `${t.host}: ${what}: what comes is not what its digest says: the registry's copy is damaged or altered`,
          { kind: 'terminal' },
        );
    }
  };
  return persist(o, () => have, step);
}

/** Reads from where it stopped to the end. @returns how much there is then */
async function receive(
  t: Transport,
  repository: string,
  d: Descriptor,
  into: Uint8Array,
  have: number,
  what: string,
  reached: (n: number) => void,
): Promise<number> {
  const headers: Record<string, string> = have > 0 ? { range: `bytes=${have}-` } : {};
  const answer: Answer = await t.send({
    method: 'GET',
    url: `/v2/${repository}/blobs/${d.digest}`,
    headers,
    what,
    ok: [200, 206, 416],
  });
  let at = have;
  if (answer.status === 416) {
    await discard(answer);
    return 0;
  }
  // Not every registry knows ranges: all comes again.
  const start = /^bytes (\d+)-/.exec(first(answer.headers['content-range']) ?? '')?.[1];
  if (answer.status === 200 || Number(start) !== have) at = 0;
  if (answer.status === 206 && Number(start) !== at) {
    await discard(answer);
    return 0;
  }
  reached(at);
  try {
    for await (const piece of answer.body as AsyncIterable<Uint8Array>) {
      if (at + piece.length > d.size)
        throw new RegistryError(
          'DigestMismatch',
          `${t.host}: ${what}: more comes than the ${d.size} bytes of its descriptor`,
          {
            kind: 'terminal',
          },
        );
      into.set(piece, at);
      at += piece.length;
      reached(at);
    }
  } catch (e) {
    throw t.failure(e, what);
  }
  if (at < d.size)
    throw new RegistryError('RegistryUnreachable', `${t.host}: ${what}: it broke off after ${at} of ${d.size} bytes`, {
      kind: 'retryable',
    });
  return at;
}
