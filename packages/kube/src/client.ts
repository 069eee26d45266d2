import type { Connection } from './connection.ts';
import { KubeError } from './errors.ts';
import { type ExecResult, execOn, execPath } from './exec.ts';
import { patchStatusMap, removeFinalizer } from './guarded-patches.ts';
import { noAnswer } from './no-answer.ts';
import { createPath, listPath, objectPath, type Subresource } from './paths.ts';
import type { Gate, RequestEvent } from './request-event.ts';
import { Transport } from './transport.ts';
import {
  apiVersionOf,
  type CallOptions,
  type HasMeta,
  type JsonPatchOp,
  type ListQuery,
  METADATA_ONLY,
  type ObjectRef,
  type Page,
  type ResourceType,
  type WriteOptions,
} from './types.ts';

export interface KubeClientOptions {
  connection: Connection;
  /** `shoto-provisioner/0.1.0`; its part before the slash is the default field manager. */
  userAgent: string;
  /** For each call, until its whole answer is read; default 10 000. */
  requestTimeoutMs?: number;
  /** Called after each request, for counters. */
  onRequest?: (e: RequestEvent) => void;
  /** Sockets at most for requests, watches have their own; with HTTP/2 it is one each. Default 16. */
  maxSockets?: number;
  /** Idle sockets are closed after this; default 55 000. */
  keepAliveMs?: number;
  /** Default 5 000. */
  connectTimeoutMs?: number;
  /** A circuit breaker; see `WorkloadPool`. */
  gate?: Gate;
  /** Silence of the connection of watches after which it is pinged; default 30 000. */
  pingMs?: number;
}

const PAGE = 500;
const DRY_RUN = 'All';

/**
 * A client of one Kubernetes API server. All calls throw {@link KubeError}; objects are returned as the server gave them.
 */
export class KubeClient {
  readonly #transport: Transport;
  readonly #timeoutMs: number;
  readonly #userAgent: string;

  constructor(o: KubeClientOptions) {
    this.#transport = new Transport(o);
    this.#timeoutMs = o.requestTimeoutMs ?? 10_000;
    this.#userAgent = o.userAgent;
  }

  /** Reads an object live. @returns undefined on 404 */
  async get<T extends HasMeta>(
    type: ResourceType,
    ref: ObjectRef,
    o: CallOptions & { subresource?: Subresource } = {},
  ): Promise<T | undefined> {
    return await orUndefined(this.#json<T>('GET', 'get', objectPath(type, ref, o.subresource), o));
  }

  /**
   * One page. `limit` 0 or left out: all in one.
   * @param o.metadataOnly - objects have their metadata and nothing else (PartialObjectMetadata)
   */
  async list<T extends HasMeta>(
    type: ResourceType,
    q: ListQuery & { limit?: number; continue?: string; resourceVersion?: string } = {},
    o: CallOptions & { metadataOnly?: boolean } = {},
  ): Promise<Page<T>> {
    const path = listPath(type, q, {
      limit: q.limit ? String(q.limit) : undefined,
      continue: q.continue,
      resourceVersion: q.resourceVersion,
    });
    const accept = o.metadataOnly ? METADATA_ONLY.list : undefined;
    const page = await this.#json<Page<T>>('GET', 'list', path, o, undefined, undefined, accept);
    return { items: page.items ?? [], metadata: page.metadata ?? {} };
  }

  /** All objects of a query, read in pages of 500. For what is read once: to stay informed use a `Reflector`. */
  async listAll<T extends HasMeta>(type: ResourceType, q: ListQuery = {}, o: CallOptions = {}): Promise<T[]> {
    const all: T[] = [];
    let next: string | undefined;
    do {
      const page: Page<T> = await this.list<T>(type, { ...q, limit: PAGE, ...(next ? { continue: next } : {}) }, o);
      all.push(...page.items);
      next = page.metadata.continue;
    } while (next);
    return all;
  }

  /** Creates. `apiVersion` and `kind` are filled in. Throws `isAlreadyExists` when it is there. */
  async create<T extends HasMeta>(type: ResourceType, obj: T, o: WriteOptions = {}): Promise<T> {
    const path = createPath(type, obj.metadata.namespace, this.#writeQuery(o));
    return await this.#json<T>('POST', 'create', path, o, whole(type, obj));
  }

  /** PUT: the whole object, only over the resourceVersion that it carries. Throws `isConflict`. */
  async replace<T extends HasMeta>(
    type: ResourceType,
    obj: T,
    o: WriteOptions & { subresource?: Subresource } = {},
  ): Promise<T> {
    const path = objectPath(type, obj.metadata, o.subresource, this.#writeQuery(o));
    return await this.#json<T>('PUT', 'update', path, o, whole(type, obj));
  }

  /** JSON merge patch (RFC 7386): null takes a field away, lists are replaced. */
  async mergePatch<T extends HasMeta>(
    type: ResourceType,
    ref: ObjectRef,
    patch: object,
    o: WriteOptions & { subresource?: Subresource } = {},
  ): Promise<T> {
    const path = objectPath(type, ref, o.subresource, this.#writeQuery(o));
    return await this.#json<T>('PATCH', 'patch', path, o, patch, 'application/merge-patch+json');
  }

  /**
   * JSON patch (RFC 6902). When it does not fit the object (a `test` fails, a path is absent) the error is `isConflict`
   * with reason `TestFailed`: kube-apiserver says 422 for it as for an invalid object, but names no field.
   */
  async jsonPatch<T extends HasMeta>(
    type: ResourceType,
    ref: ObjectRef,
    ops: readonly JsonPatchOp[],
    o: WriteOptions & { subresource?: Subresource } = {},
  ): Promise<T> {
    const path = objectPath(type, ref, o.subresource, this.#writeQuery(o));
    try {
      return await this.#json<T>('PATCH', 'patch', path, o, ops, 'application/json-patch+json');
    } catch (e) {
      if (e instanceof KubeError && e.status === 422 && !e.causes.some((c) => c.field)) {
        throw new KubeError({
          status: 422,
          reason: 'TestFailed',
          method: 'PATCH',
          path: e.path,
          message: 'the object is not as the patch expects: read it again',
          cause: e,
        });
      }
      throw e;
    }
  }

  /**
   * Server-side apply. `managedFields` and `resourceVersion` are left out of what is sent, unless the latter shall be tested.
   * @param force - take over fields of other managers; default false: throws `isConflict` that names them
   */
  async apply<T extends HasMeta>(
    type: ResourceType,
    obj: HasMeta,
    o: Omit<WriteOptions, 'fieldManager'> & { fieldManager: string; force?: boolean; subresource?: Subresource },
  ): Promise<T> {
    const { managedFields: _, ...metadata } = obj.metadata;
    const path = objectPath(type, obj.metadata, o.subresource, {
      ...this.#writeQuery(o),
      force: o.force ? 'true' : undefined,
    });
    return await this.#json<T>(
      'PATCH',
      'patch',
      path,
      o,
      { ...whole(type, obj), metadata },
      'application/apply-patch+yaml',
    );
  }

  /**
   * Deletes. Safe to repeat.
   * @param uid, resourceVersion - preconditions: another object of that name is not touched (throws `isConflict`)
   * @returns 'gone' when it is absent now, 'deleting' when it waits for finalizers or a grace period
   */
  async delete(
    type: ResourceType,
    ref: ObjectRef,
    o: CallOptions & {
      uid?: string;
      resourceVersion?: string;
      propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
      gracePeriodSeconds?: number;
    } = {},
  ): Promise<'gone' | 'deleting'> {
    const preconditions = {
      ...(o.uid ? { uid: o.uid } : {}),
      ...(o.resourceVersion ? { resourceVersion: o.resourceVersion } : {}),
    };
    const options = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(Object.keys(preconditions).length ? { preconditions } : {}),
      ...(o.propagationPolicy ? { propagationPolicy: o.propagationPolicy } : {}),
      ...(o.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: o.gracePeriodSeconds }),
    };
    const answer = await orUndefined(
      this.#json<{ metadata?: { deletionTimestamp?: string } }>('DELETE', 'delete', objectPath(type, ref), o, options),
    );
    // An object that is gone is answered by a Status, or by its last state, without a deletionTimestamp.
    return answer?.metadata?.deletionTimestamp ? 'deleting' : 'gone';
  }

  /** {@link patchStatusMap} */
  async patchStatusMap<T extends HasMeta>(
    type: ResourceType,
    obj: T,
    map: string,
    next: object,
    o: WriteOptions = {},
  ): Promise<T> {
    return await patchStatusMap<T>(this, type, obj, map, next, o);
  }

  /** {@link removeFinalizer} */
  async removeFinalizer<T extends HasMeta>(
    type: ResourceType,
    obj: T,
    finalizer: string,
    o: CallOptions = {},
  ): Promise<T | undefined> {
    return await removeFinalizer<T>(this, type, obj, finalizer, o);
  }

  /**
   * Any request. The answer's body is text.
   * @param path - with query, from the server's root
   * @param body - sent as JSON, or as it is when it is a string
   * @param o.freshConnection - on a connection of its own, which a load balancer may lead to another server than the kept one
   */
  async raw(
    method: string,
    path: string,
    body?: unknown,
    o: CallOptions & { contentType?: string; accept?: string; freshConnection?: boolean } = {},
  ): Promise<{ status: number; headers: Record<string, string | string[] | undefined>; body: string }> {
    return await this.#text(method, verbOf(method), path, o, body, o.contentType, o.accept);
  }

  /**
   * Runs a command in a container and waits for its end. Without stdin or terminal; for short commands that are run for their answer
   * (at most 4 MiB of it). Asks for the verb `create` of `pods/exec`.
   *
   * @param ref - the pod
   * @param command - program and arguments; there is no shell
   * @returns its exit code and what it said; a code other than 0 is no error
   * @throws {KubeError} the API refuses, the kubelet does not answer (500), the command cannot be started, or it takes too long (`Timeout`)
   */
  async exec(ref: ObjectRef, container: string, command: readonly string[], o: CallOptions = {}): Promise<ExecResult> {
    const path = execPath(ref, container, command);
    const ending = this.#transport.begin(o.signal, o.timeoutMs ?? this.#timeoutMs);
    try {
      return await this.#transport.onOwnSocket(path, 'create', (socket) => execOn(socket, path, ending.signal));
    } finally {
      ending.done();
    }
  }

  /**
   * Begins a watch. Used by the `Reflector`. Never throws: `onEnd` is told how it ends, once.
   * @param o.onLine - a line of the answer. A {@link KubeError} that it throws ends the watch
   * @param o.idleMs - silence after which it is given up; default: see {@link WatchSend}
   * @returns what gives it up; `onEnd` is told `Aborted` then
   */
  watch(
    path: string,
    o: {
      idleMs?: number | undefined;
      metadataOnly?: boolean;
      onLine: (line: string) => void;
      onEnd: (e: KubeError | undefined) => void;
    },
  ): () => void {
    const { idleMs, metadataOnly, onLine, onEnd } = o;
    const accept = metadataOnly ? { accept: METADATA_ONLY.watch } : {};
    const headersTimeoutMs = Math.min(30_000, idleMs ?? 30_000);
    return this.#transport.watch({ path, ...accept, headersTimeoutMs, idleMs, onLine, onEnd });
  }

  /** Closes all sockets; calls under way fail. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  #writeQuery(o: WriteOptions): Record<string, string | undefined> {
    return { dryRun: o.dryRun ? DRY_RUN : undefined, fieldManager: o.fieldManager ?? this.#userAgent.split('/')[0] };
  }

  async #json<T>(
    method: string,
    verb: RequestEvent['verb'],
    path: string,
    o: CallOptions,
    body?: unknown,
    contentType?: string,
    accept?: string,
  ): Promise<T> {
    const answer = await this.#text(method, verb, path, o, body, contentType, accept);
    try {
      return JSON.parse(answer.body) as T;
    } catch (cause) {
      throw new KubeError({
        status: answer.status,
        reason: 'NotJson',
        method,
        path: path.split('?')[0] ?? path,
        message: `${answer.status} and a body that is not JSON: is this a Kubernetes API server?`,
        cause,
      });
    }
  }

  async #text(
    method: string,
    verb: RequestEvent['verb'],
    path: string,
    o: CallOptions & { freshConnection?: boolean },
    body?: unknown,
    contentType = 'application/json',
    accept?: string,
  ): Promise<{ status: number; headers: Record<string, string | string[] | undefined>; body: string }> {
    const timeoutMs = o.timeoutMs ?? this.#timeoutMs;
    const ending = this.#transport.begin(o.signal, timeoutMs);
    const { signal } = ending;
    const request = {
      method,
      path,
      verb,
      signal,
      headersTimeoutMs: timeoutMs,
      bodyTimeoutMs: timeoutMs,
      ...(accept ? { accept } : {}),
      ...(o.freshConnection ? { freshConnection: true } : {}),
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body), contentType }),
    };
    try {
      const answer = await this.#transport.send(request);
      try {
        return { status: answer.status, headers: answer.headers, body: await answer.body.text() };
      } catch (e) {
        throw noAnswer(method, path.split('?')[0] ?? path, e, signal);
      }
    } finally {
      ending.done();
    }
  }
}

function whole<T extends HasMeta>(type: ResourceType, obj: T): T {
  return { apiVersion: apiVersionOf(type), kind: type.kind, ...obj };
}

function verbOf(method: string): RequestEvent['verb'] {
  const verbs: Record<string, RequestEvent['verb']> = {
    POST: 'create',
    PUT: 'update',
    PATCH: 'patch',
    DELETE: 'delete',
  };
  return verbs[method.toUpperCase()] ?? 'get';
}

async function orUndefined<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (e) {
    if (e instanceof KubeError && e.isNotFound) return undefined;
    throw e;
  }
}
