import type { BundleContent } from '../format/content.ts';
import { canonicalJson, type JsonObject, own, sha256 } from '../json.ts';
import { compileBundle } from './compile.ts';
import { type ChartRenderer, type Rendered, type RenderInput, render } from './render.ts';

export interface RenderCacheOptions {
  /** How much may be kept: JSON of the objects that are not the same for all clusters, in bytes. Default 64 MiB. */
  maxBytes?: number;
  /** Renders charts. */
  helm?: ChartRenderer;
}

/** What a cache did since it was made, and what it holds. */
export interface RenderCacheStats {
  hits: number;
  misses: number;
  evictions: number;
  entries: number;
  bytes: number;
}

/** What an entry costs beside its objects: key, list, promise. */
const OVERHEAD = 1024;

interface Entry {
  rendered: Promise<Rendered>;
  bytes: number;
}

/**
 * Keeps what was rendered, by bundle, values, Kubernetes version and those facts alone that the bundle names: clusters that differ in others share one
 * render. Who asks for what is being rendered waits for that. The least recently used go first. Failures are not kept.
 */
export class RenderCache {
  readonly #maxBytes: number;
  readonly #helm: ChartRenderer | undefined;
  /** In order of use, the oldest first. */
  readonly #entries = new Map<string, Entry>();
  #stats = { hits: 0, misses: 0, evictions: 0, bytes: 0 };

  constructor(o: RenderCacheOptions = {}) {
    this.#maxBytes = o.maxBytes ?? 64 * 1024 * 1024;
    this.#helm = o.helm;
  }

  get stats(): RenderCacheStats {
    return { ...this.#stats, entries: this.#entries.size };
  }

  /**
   * As {@link render}.
   *
   * @param digest - of the bundle: what it is known by
   * @param bundle - kept by who calls, so that its documents are read once
   */
  async render(digest: string, bundle: BundleContent, input: RenderInput): Promise<Rendered> {
    const key = keyOf(digest, bundle, input);
    const known = this.#entries.get(key);
    if (known) {
      this.#stats.hits += 1;
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known.rendered;
    }
    this.#stats.misses += 1;
    const rendered = render(bundle, input, this.#helm ? { helm: this.#helm } : {});
    const entry: Entry = { rendered, bytes: OVERHEAD };
    this.#entries.set(key, entry);
    this.#stats.bytes += OVERHEAD;
    try {
      const made = await rendered;
      if (this.#entries.get(key) === entry) {
        entry.bytes += made.ownBytes;
        this.#stats.bytes += made.ownBytes;
        this.#evict();
      }
      return made;
    } catch (e) {
      if (this.#entries.get(key) === entry) this.#remove(key, entry);
      throw e;
    }
  }

  #evict(): void {
    for (const [key, entry] of this.#entries) {
      if (this.#stats.bytes <= this.#maxBytes) return;
      this.#remove(key, entry);
      this.#stats.evictions += 1;
    }
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#stats.bytes -= entry.bytes;
  }
}

/** Digests only: values and facts may be secret. */
function keyOf(digest: string, bundle: BundleContent, input: RenderInput): string {
  const { facts: used } = compileBundle(bundle);
  const facts: JsonObject = {};
  for (const name of used === 'all' ? Object.keys(input.facts) : used) {
    const value = own(input.facts, name);
    if (value !== undefined) facts[name] = value;
  }
  return sha256(
    canonicalJson([digest, input.kubernetesVersion, [...(input.apiVersions ?? [])].sort(), facts, input.values]),
  );
}
