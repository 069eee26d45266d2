/** The services this client speaks to, by their official type names. */
export type ServiceName =
  | 'identity'
  | 'compute'
  | 'network'
  | 'image'
  | 'block-storage'
  | 'load-balancer'
  | 'placement';

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One value of a query; a list is sent as repeated keys, except tag filters, which OpenStack wants joined by commas. */
export type QueryValue = string | number | boolean | Date | readonly (string | number | boolean)[] | null | undefined;

/** Filters of a list call, named as in the API reference. Undefined and null are left out. */
export type Query = { readonly [name: string]: QueryValue };

/** A JSON object whose further fields are not known here. */
export interface Fields {
  [field: string]: unknown;
}

/** What may be set on any single call; all of it is optional. */
export interface CallOptions {
  /** Ends the call (and its waiting and retries) with an AbortedError. */
  signal?: AbortSignal | undefined;
  /** Milliseconds for the whole call: log-in, waiting, retries and reading the answer included. 0 is without limit. Default: the client's. */
  timeoutMs?: number | undefined;
  /** How often the call is repeated at most. Default: the client's. */
  retries?: number | undefined;
  /** The microversion for this call, e.g. `2.79`; MicroversionError when the service does not offer it. */
  microversion?: string | undefined;
  /** Further request headers. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** Told for every HTTP exchange, retries included; to count calls and measure them. */
export interface RequestEvent {
  service: ServiceName;
  method: HttpMethod;
  /** Path of the URL without the query. */
  path: string;
  /** HTTP status, or 0 when no whole answer came. */
  status: number;
  /** Milliseconds from sending to the end of the answer. */
  ms: number;
  requestId: string | undefined;
  /** 1 for the first try. */
  attempt: number;
  /** The error's code when there was no answer: `ECONNREFUSED`, `TimeoutError`, ... */
  error?: string;
}
