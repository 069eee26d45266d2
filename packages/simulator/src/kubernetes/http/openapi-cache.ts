import type { Registry } from '../registry/registry.ts';
import type { Schemas } from '../schema-port.ts';

// Servers without CustomResourceDefinitions all serve the same documents: these are kept once per process.
const shared = new WeakMap<Schemas, Map<string, string>>();

/** The text of an OpenAPI document, made when it is first asked for and again when a CustomResourceDefinition changes. */
export class OpenApiCache {
  private readonly own = new Map<string, string>();
  private readonly registry: Registry;
  private readonly schemas: Schemas;
  private generation = -1;

  constructor(registry: Registry, schemas: Schemas) {
    this.registry = registry;
    this.schemas = schemas;
  }

  /** The text under a key; undefined when there is no such document. */
  get(key: string, make: () => object | undefined): string | undefined {
    if (this.generation !== this.registry.generation) {
      this.own.clear();
      this.generation = this.registry.generation;
    }
    let documents = this.own;
    if (this.registry.definitions().length === 0) {
      documents = shared.get(this.schemas) ?? new Map();
      shared.set(this.schemas, documents);
    }
    let text = documents.get(key);
    if (text === undefined) {
      const made = make();
      if (made === undefined) return undefined;
      text = JSON.stringify(made);
      documents.set(key, text);
    }
    return text;
  }
}
