/** A finished request, for counters. `status` 0: no answer. */
export interface RequestEvent {
  method: string;
  /** `list` and `watch` are told from `get` by the query. */
  verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';
  path: string;
  /** Plural, with the subresource: `machines`, `machines/status`; '' for paths that are no resource. */
  resource: string;
  status: number;
  ms: number;
}

/** Asked before, told after each request: a circuit breaker. */
export interface Gate {
  /** @throws {KubeError} `CircuitOpen` when no request may go out now */
  enter(method: string, path: string): void;
  /** @param reached - the server gave an answer, whichever; undefined: the caller gave up before one could come */
  leave(reached: boolean | undefined): void;
}
