/** An API that is going to be removed, and that somebody has asked for. */
export interface DeprecatedApi {
  group: string;
  version: string;
  resource: string;
  subresource: string;
  /** Such as `1.37`; empty where that is not decided. */
  removedRelease: string;
}

/** Which deprecated APIs the servers of a cluster were asked for: each counts for itself. */
export class DeprecatedApis {
  readonly #noted = new Map<string, { api: DeprecatedApi; fronts: Set<string | undefined> }>();

  /** @param front - the server that was asked; undefined: all */
  note(api: DeprecatedApi, front: string | undefined): void {
    const key = JSON.stringify(api);
    const noted = this.#noted.get(key) ?? { api, fronts: new Set() };
    noted.fronts.add(front);
    this.#noted.set(key, noted);
  }

  /** Those that a server was asked for. */
  of(front: string | undefined): DeprecatedApi[] {
    return [...this.#noted.values()]
      .filter(({ fronts }) => fronts.has(undefined) || fronts.has(front))
      .map(({ api }) => api);
  }
}
