import type { AddonBundle } from '@shoto/api';
import {
  type BundleContent,
  BundleError,
  type ChartRenderer,
  canonicalJson,
  compileBundle,
  type JsonObject,
  type Rendered,
  render,
  sha256,
} from '@shoto/bundle';
import { TerminalError } from '@shoto/reconciler';

/** Where the content of a bundle comes from. */
export type ReadContent = (bundle: AddonBundle) => Promise<BundleContent>;

/** Bundles kept in memory. */
const CONTENTS = 64;
/** Renders kept in memory: those of a fleet that is alike are few. */
const RENDERS = 256;

/** Keeps the last `max` values by key; what is being made is made once. */
class Kept<T> {
  readonly #max: number;
  readonly #values = new Map<string, Promise<T>>();
  constructor(max: number) {
    this.#max = max;
  }
  get(key: string, make: () => Promise<T>): Promise<T> {
    const known = this.#values.get(key);
    const value = known ?? make();
    this.#values.delete(key);
    this.#values.set(key, value);
    if (!known) {
      value.catch(() => {
        if (this.#values.get(key) === value) this.#values.delete(key);
      });
      if (this.#values.size > this.#max) this.#values.delete(this.#values.keys().next().value!);
    }
    return value;
  }
}

/** Contents of bundles and what was rendered of them, each once for all clusters that have the same. */
export class BundleStore {
  readonly #read: ReadContent;
  readonly #helm: ChartRenderer | undefined;
  readonly #contents = new Kept<BundleContent>(CONTENTS);
  readonly #renders = new Kept<Rendered>(RENDERS);

  constructor(o: { read: ReadContent; helm?: ChartRenderer | undefined }) {
    this.#read = o.read;
    this.#helm = o.helm;
  }

  /** The content of a bundle. @throws {TerminalError} where it is not what was published, or no bundle */
  async content(bundle: AddonBundle): Promise<BundleContent> {
    const key = `${bundle.metadata.uid} ${bundle.metadata.name}`;
    return await told(bundle, () => this.#contents.get(key, () => this.#read(bundle)));
  }

  /**
   * What a bundle is for a cluster: the same facts (as far as the bundle asks for them), values and version give the same objects in memory.
   *
   * @throws {TerminalError} under the reason of the bundle's own error, with file, document and path
   */
  async render(
    bundle: AddonBundle,
    content: BundleContent,
    input: { facts: JsonObject; values: JsonObject; kubernetesVersion: string },
  ): Promise<Rendered> {
    return await told(bundle, () => {
      const { facts: used } = compileBundle(content);
      const facts =
        used === 'all'
          ? input.facts
          : Object.fromEntries(Object.entries(input.facts).filter(([name]) => used.has(name)));
      const id = [bundle.metadata.name, bundle.metadata.uid ?? '', facts, input.values, input.kubernetesVersion];
      return this.#renders.get(sha256(canonicalJson(id)), () =>
        render(content, input, this.#helm ? { helm: this.#helm } : {}),
      );
    });
  }
}

/** An error of a bundle is told under its own reason. */
async function told<T>(bundle: AddonBundle, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (e) {
    if (e instanceof BundleError)
      throw new TerminalError(e.reason, `bundle ${bundle.metadata.name}: ${e.message}`, { cause: e });
    throw e;
  }
}
