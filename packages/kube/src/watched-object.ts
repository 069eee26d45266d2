import type { KubeClient } from './client.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import { type HasMeta, keyOf, type ObjectRef, type ResourceType } from './types.ts';

/** What a {@link WatchedObject} watches. */
export interface WatchedObjectOptions<T extends HasMeta>
  extends Pick<ReflectorOptions<T>, 'trim' | 'onError' | 'idleMs' | 'backoffMs'> {
  client: KubeClient;
  type: ResourceType;
  /** Which one. It need not exist. */
  ref: ObjectRef;
  /**
   * Whenever there is news: after the first look (also when there is nothing), and when the object came, changed or went. Not for what is as
   * before.
   */
  onChange?: (now: T | undefined, before: T | undefined) => void;
}

/**
 * One object, by its name, watched: whether it is there now, and what it says, without asking. Costs one watch, and needs the right to list and
 * watch that one name only (RBAC's `resourceNames`).
 */
export class WatchedObject<T extends HasMeta> {
  readonly #reflector: Reflector<T>;
  readonly #key: string;

  constructor(o: WatchedObjectOptions<T>) {
    const { ref, onChange, client, type, trim, onError, idleMs, backoffMs } = o;
    this.#key = keyOf({ metadata: { name: ref.name, ...(ref.namespace ? { namespace: ref.namespace } : {}) } });
    let told = false;
    this.#reflector = new Reflector<T>({
      client,
      type,
      ...(ref.namespace ? { namespace: ref.namespace } : {}),
      fieldSelector: `metadata.name=${ref.name}`,
      ...(trim ? { trim } : {}),
      ...(onError ? { onError } : {}),
      ...(idleMs === undefined ? {} : { idleMs }),
      ...(backoffMs === undefined ? {} : { backoffMs }),
      onChange: (key, now, before) => {
        // The first look is told once it is over: until then nobody may act on it.
        if (key === this.#key && told) onChange?.(now, before);
      },
      onSynced: () => {
        if (told) return;
        told = true;
        onChange?.(this.get(), undefined);
      },
    });
  }

  /** Begins. Once only. */
  start(): void {
    this.#reflector.start();
  }

  /** Resolves after the first look. Never rejects: it tries on. */
  get synced(): Promise<void> {
    return this.#reflector.synced;
  }

  /** It was looked at least once; before that {@link get} means nothing. */
  get isSynced(): boolean {
    return this.#reflector.isSynced;
  }

  /** The object as last seen; undefined when there is none, or it was not looked yet. */
  get(): T | undefined {
    return this.#reflector.get(this.#key);
  }

  /** Ends the watch. What was seen last stays readable. */
  async stop(): Promise<void> {
    await this.#reflector.stop();
  }
}
