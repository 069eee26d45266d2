import type { Contents } from './contents.ts';

/** A manifest of a repository. */
export interface ManifestEntry {
  mediaType: string;
  /** Bytes. */
  size: number;
  /** Digest of the manifest that this one refers to. */
  subject?: string;
  artifactType?: string;
  annotations?: Record<string, string>;
}

/** What a repository has; the bytes lie in {@link Contents}, once for all repositories. */
export interface Repository {
  /** Whether there is, or was, a manifest: only then it counts as a repository in lists. */
  hasManifests: boolean;
  blobs: Set<string>;
  manifests: Map<string, ManifestEntry>;
  /** Digests by tag. */
  tags: Map<string, string>;
}

interface Kept {
  name: string;
  hasManifests: boolean;
  blobs: string[];
  manifests: Record<string, ManifestEntry>;
  tags: Record<string, string>;
}

const FOLDER = 'repositories';
const fileOf = (name: string): string => `${FOLDER}/${name.replaceAll('/', '%')}.json`;

/** All repositories of a registry, by name. */
export class Repositories {
  readonly #contents: Contents;
  #all = new Map<string, Repository>();
  /** Writes go one after the other, so that an older text never lands on a newer one. */
  #saving: Promise<void> = Promise.resolve();

  private constructor(contents: Contents) {
    this.#contents = contents;
  }

  /** Finds what was kept. */
  static async open(contents: Contents): Promise<Repositories> {
    const repositories = new Repositories(contents);
    for (const file of await contents.list(FOLDER)) {
      const kept = JSON.parse((await contents.load(`${FOLDER}/${file}`)) ?? '{}') as Kept;
      repositories.#all.set(kept.name, {
        hasManifests: kept.hasManifests,
        blobs: new Set(kept.blobs),
        manifests: new Map(Object.entries(kept.manifests)),
        tags: new Map(Object.entries(kept.tags)),
      });
    }
    return repositories;
  }

  get(name: string): Repository | undefined {
    return this.#all.get(name);
  }

  /** Names of those that have or had manifests, in order. */
  names(): string[] {
    return [...this.#all].flatMap(([name, r]) => (r.hasManifests ? [name] : [])).sort();
  }

  /** Changes a repository, which comes to be where it was not, and keeps it. */
  async change(name: string, edit: (repository: Repository) => void): Promise<void> {
    const repository = this.#all.get(name) ?? {
      hasManifests: false,
      blobs: new Set(),
      manifests: new Map(),
      tags: new Map(),
    };
    edit(repository);
    repository.hasManifests ||= repository.manifests.size > 0;
    this.#all.set(name, repository);
    const kept: Kept = {
      name,
      hasManifests: repository.hasManifests,
      blobs: [...repository.blobs],
      manifests: Object.fromEntries(repository.manifests),
      tags: Object.fromEntries(repository.tags),
    };
    const text = JSON.stringify(kept);
    this.#saving = this.#saving.catch(() => {}).then(() => this.#contents.save(fileOf(name), text));
    await this.#saving;
  }
}
