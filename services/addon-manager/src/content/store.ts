import type { AddonBundle } from '@shoto/api';
import {
  type BundleContent,
  BundleError,
  type ChartRenderer,
  type JsonObject,
  RenderCache,
  type Rendered,
} from '@shoto/bundle';
import { TerminalError } from '@shoto/reconciler';

/** Where the content of a bundle comes from. */
export type ReadContent = (bundle: AddonBundle) => Promise<BundleContent>;

/** Bundles kept in memory. */
const CONTENTS = 64;

/** Contents of bundles and what was rendered of them, each once for all clusters that have the same. */
export class BundleStore {
  readonly #read: ReadContent;
  readonly #renders: RenderCache;
  /** In order of use, the oldest first. */
  readonly #contents = new Map<string, Promise<BundleContent>>();

  constructor(o: { read: ReadContent; helm?: ChartRenderer | undefined }) {
    this.#read = o.read;
    this.#renders = new RenderCache(o.helm ? { helm: o.helm } : {});
  }

  /** The content of a bundle. @throws {TerminalError} where it is not what was published, or no bundle */
  async content(bundle: AddonBundle): Promise<BundleContent> {
    return await told(bundle, () => {
      const key = digestOf(bundle);
      const content = this.#contents.get(key) ?? this.#read(bundle);
      this.#contents.delete(key);
      this.#contents.set(key, content);
      // A failure is not kept.
      content.catch(() => this.#contents.delete(key));
      if (this.#contents.size > CONTENTS) this.#contents.delete(this.#contents.keys().next().value!);
      return content;
    });
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
    return await told(bundle, () => this.#renders.render(digestOf(bundle), content, input));
  }
}

/** What a bundle's content is known by: its digest, and its name, which some of it may be made from. */
const digestOf = ({ metadata, spec }: AddonBundle): string =>
  `${metadata.name} ${spec.oci?.digest ?? spec.manifests?.digest}`;

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
