import type { Answer, ApiError, Call } from './message.ts';

interface RouteNode<A> {
  literals: Map<string, RouteNode<A>>;
  param: RouteNode<A> | undefined;
  handlers: Map<string, Route<A>>;
}

interface Route<A> {
  template: string;
  names: string[];
  operation: string;
  open: boolean;
  handle: (call: Call, auth: A) => Answer | Promise<Answer>;
}

/** What makes one service's dialect. */
export interface ServiceOptions<A> {
  /** keystone, nova, ... */
  name: string;
  /** First path segment, without slashes. */
  prefix: string;
  /** Throws ApiError 401 if the caller is nobody. */
  authenticate: (call: Call) => A;
  renderError: (call: Call, error: ApiError) => Answer;
  /** Runs before the handler; may refuse or rewrite the path (versions). */
  prepare?: (call: Call) => void;
  /** Adds the headers that every answer of the service has. */
  decorate?: (call: Call, headers: Record<string, string>) => void;
  /** For fault rules by name, metadata or tag: what an id in the path stands for. */
  resource?: (call: Call) => { name?: string; metadata?: Record<string, string>; tags?: readonly string[] } | undefined;
}

/** One OpenStack service: its routes and its dialect. */
export class Service<A> {
  readonly options: ServiceOptions<A>;
  #root: RouteNode<A> = { literals: new Map(), param: undefined, handlers: new Map() };

  constructor(options: ServiceOptions<A>) {
    this.options = options;
  }

  /** Adds a route; segments like `{id}` are parameters. */
  on(
    method: string,
    template: string,
    operation: string,
    handle: (call: Call, auth: A) => Answer | Promise<Answer>,
  ): void {
    this.#add(method, template, operation, handle, false);
  }

  /** Adds a route that needs no token. */
  open(method: string, template: string, operation: string, handle: (call: Call) => Answer | Promise<Answer>): void {
    this.#add(method, template, operation, handle, true);
  }

  #add(method: string, template: string, operation: string, handle: Route<A>['handle'], open: boolean): void {
    let node = this.#root;
    const names: string[] = [];
    for (const segment of template.split('/').filter(Boolean)) {
      if (segment.startsWith('{')) {
        names.push(segment.slice(1, -1));
        node = node.param ??= { literals: new Map(), param: undefined, handlers: new Map() };
      } else {
        let next = node.literals.get(segment);
        if (!next) {
          next = { literals: new Map(), param: undefined, handlers: new Map() };
          node.literals.set(segment, next);
        }
        node = next;
      }
    }
    node.handlers.set(method, { template, names, operation, open, handle });
  }

  /** The route for a path, its parameters, and the methods that the path has. */
  match(
    method: string,
    path: string,
  ): { route: Route<A> | undefined; params: Record<string, string>; methods: string[] } {
    const segments = path.split('/').filter(Boolean);
    const values: string[] = [];
    const node = walk(this.#root, segments, 0, values, method);
    if (!node) return { route: undefined, params: {}, methods: [] };
    const route = node.handlers.get(method) ?? (method === 'HEAD' ? node.handlers.get('GET') : undefined);
    const params: Record<string, string> = {};
    route?.names.forEach((name, i) => {
      params[name] = values[i]!;
    });
    return { route, params, methods: [...node.handlers.keys()] };
  }
}

function walk<A>(
  node: RouteNode<A>,
  segments: string[],
  at: number,
  values: string[],
  method: string,
): RouteNode<A> | undefined {
  if (at === segments.length) return node.handlers.size > 0 ? node : undefined;
  const segment = segments[at]!;
  const literal = node.literals.get(segment);
  const exact = literal && walk(literal, segments, at + 1, values, method);
  if (exact && (exact.handlers.has(method) || !node.param)) return exact;
  if (!node.param) return undefined;
  const kept = values.length;
  values.push(segment);
  const found = walk(node.param, segments, at + 1, values, method);
  if (found) return found;
  values.length = kept;
  return exact;
}
