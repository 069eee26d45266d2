import { type AddonBundle, ANNOTATIONS, timestamp } from '@shoto/api';
import { inputOf, ownValues, type Pass, type Target, type Wish } from './context.ts';
import type { Failed } from './standing.ts';

const retryOf = (w: Wish): string | undefined => w.addon?.metadata.annotations?.[ANNOTATIONS.retry];

/** Whether what failed would fail again: the same bundle with the same values and facts, and nobody asked for another try. */
export function stillFailed(p: Pass, w: Wish): Failed | undefined {
  const failed = w.addon?.status?.manager?.failed;
  if (!failed || failed.retry !== retryOf(w)) return undefined;
  const bundle = p.d.bundles().find((b) => b.metadata.name === failed.bundle);
  if (!bundle || (w.wanted.version !== undefined && w.wanted.version !== bundle.spec.version)) return undefined;
  return failed.input === inputOf(p, w, bundle, ownValues(w)) ? failed : undefined;
}

/** Why a bundle is not tried on this cluster again. */
export function failedBefore(p: Pass, w: Wish, bundle: AddonBundle): string | undefined {
  const failed = stillFailed(p, w);
  return failed?.bundle === bundle.metadata.name ? 'it failed on this cluster' : undefined;
}

/** An update that is given up now. */
export function failureOf(p: Pass, w: Wish, target: Target, why: { reason: string; message: string }): Failed {
  const retry = retryOf(w);
  return {
    bundle: target.bundle.metadata.name,
    input: target.input,
    reason: why.reason,
    message: why.message.slice(0, 1024),
    at: timestamp(p.d.now()),
    ...(retry === undefined ? {} : { retry }),
  };
}
