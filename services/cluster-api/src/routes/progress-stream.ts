import type { ServerResponse } from 'node:http';
import type { Cluster } from '@shoto/api';
import type { Clock } from '@shoto/service';
import type { LiveSteps } from '../live-steps.ts';
import { progressOf } from '../progress.ts';
import type { Store } from '../store.ts';

const HEARTBEAT_MS = 15_000;
/** Changes that come faster than this are told together: a large cluster changes many times a second. */
const TOGETHER_MS = 200;

/**
 * Streams the progress of a cluster as server-sent events: `progress` for what is now and for each change, at last `gone`.
 *
 * @param cluster - as it is now
 * @returns what ends the stream; it ends by itself when the cluster is gone
 */
export function streamProgress(
  d: { store: Store; live: LiveSteps; clock: Clock },
  cluster: Cluster,
  stream: ServerResponse,
): () => void {
  const { name } = cluster.metadata;
  const ref = { namespace: cluster.metadata.namespace!, name };
  // Another cluster of that name is not the one that is followed.
  const remembered = (): Cluster | undefined => {
    const known = d.store.cluster(ref.namespace, name);
    return known?.metadata.uid === cluster.metadata.uid ? known : undefined;
  };
  // The memory may not hold the cluster yet that a moment ago was made: only one that was seen there can be gone.
  let seen = remembered() !== undefined;
  let last = '';
  let lastAt = Number.NEGATIVE_INFINITY;
  let cancelSend: (() => void) | undefined;
  let cancelHeartbeat = (): void => {};
  const tell = (now: Cluster | undefined): void => {
    const data = JSON.stringify(now ? progressOf(now, d.store.machinesOf(now), d.live.of(ref)) : { cluster: name });
    if (data === last) return;
    last = data;
    lastAt = d.clock.now();
    stream.write(`event: ${now ? 'progress' : 'gone'}\ndata: ${data}\n\n`);
    if (!now) end();
  };
  const changed = (): void => {
    const now = remembered();
    seen ||= now !== undefined;
    if (!seen || cancelSend) return;
    const send = (): void => {
      cancelSend = undefined;
      // Who reads slower than it changes gets the newest state when there is room again.
      if (stream.writableNeedDrain) stream.off('drain', changed).once('drain', changed);
      else tell(remembered());
    };
    const early = lastAt + TOGETHER_MS - d.clock.now();
    if (early <= 0) send();
    else cancelSend = d.clock.after(early, send);
  };
  const beat = (): void => {
    cancelHeartbeat = d.clock.after(HEARTBEAT_MS, () => {
      stream.write(': still here\n\n');
      beat();
    });
  };
  const off = d.store.onClusterChange(ref.namespace, name, changed);
  const unfollow = d.live.follow(ref, changed);
  const end = (): void => {
    cancelHeartbeat();
    cancelSend?.();
    stream.off('drain', changed);
    off();
    unfollow();
    stream.end();
  };
  stream.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  beat();
  tell(cluster);
  changed();
  return end;
}
