import { isEstablished } from '../crd/names.ts';
import { crdToType } from '../crd/to-type.ts';
import type { Schemas } from '../schema-port.ts';
import type { Store } from '../store/store.ts';
import type { KubeObject } from '../types.ts';
import { builtinTypes } from './builtin-types.ts';
import { groupVersion, type ResourceType, type ServedVersion } from './resource-type.ts';

/** A kind in one of its served versions. */
export interface Served {
  type: ResourceType;
  version: ServedVersion;
}

interface StaticIndex {
  byPath: Map<string, Served>;
  byKind: Map<string, Served>;
}

const statics = new WeakMap<ResourceType[], StaticIndex>();

function index(types: Iterable<ResourceType>): StaticIndex {
  const found: StaticIndex = { byPath: new Map(), byKind: new Map() };
  for (const type of types) {
    for (const version of type.versions) {
      const gv = groupVersion(type.group, version.version);
      found.byPath.set(`${gv}/${type.plural}`, { type, version });
      found.byKind.set(`${gv}/${type.kind}`, { type, version });
    }
  }
  return found;
}

/** What one server serves: Kubernetes' own kinds, and those of its CustomResourceDefinitions as they come and go. */
export class Registry {
  private readonly builtin: ResourceType[];
  private readonly shared: StaticIndex;
  private readonly crds = new Map<string, { object: KubeObject; type: ResourceType }>();
  private custom: StaticIndex = { byPath: new Map(), byKind: new Map() };
  private readonly schemas: Schemas;
  private readonly store: Store;
  /** Rises when a CustomResourceDefinition changes; for caches of discovery and OpenAPI. */
  generation = 0;

  constructor(schemas: Schemas, store: Store) {
    this.schemas = schemas;
    this.store = store;
    this.builtin = builtinTypes(schemas);
    this.shared = statics.get(this.builtin) ?? index(this.builtin);
    statics.set(this.builtin, this.shared);
    for (const crd of store.scan('customresourcedefinitions.apiextensions.k8s.io', undefined)) this.define(crd);
    this.reindex();
    store.listen('customresourcedefinitions.apiextensions.k8s.io', ({ type, object }) => {
      if (type === 'DELETED') this.crds.delete(object.metadata.name);
      else this.define(object);
      this.reindex();
    });
  }

  /** The kind at `/apis/<group>/<version>/<plural>`. */
  find(group: string, version: string, plural: string): Served | undefined {
    const path = `${groupVersion(group, version)}/${plural}`;
    return this.shared.byPath.get(path) ?? this.custom.byPath.get(path);
  }

  /** The kind that an object of this `apiVersion` and `kind` belongs to. */
  findKind(apiVersion: string, kind: string): Served | undefined {
    return this.shared.byKind.get(`${apiVersion}/${kind}`) ?? this.custom.byKind.get(`${apiVersion}/${kind}`);
  }

  /** All kinds, Kubernetes' own first. */
  *types(): Generator<ResourceType> {
    yield* this.builtin;
    for (const { type } of this.crds.values()) if (type.versions.length > 0) yield type;
  }

  /** The kind that a CustomResourceDefinition makes. */
  customType(crdName: string): ResourceType | undefined {
    return this.crds.get(crdName)?.type;
  }

  /** The CustomResourceDefinitions themselves. */
  definitions(): KubeObject[] {
    return [...this.store.scan('customresourcedefinitions.apiextensions.k8s.io', undefined)];
  }

  private define(crd: KubeObject): void {
    const before = this.crds.get(crd.metadata.name);
    // Its names belong to another definition.
    if (!isEstablished(crd)) return;
    // A status write must not cost a compilation.
    if (before && before.object.spec === crd.spec) return;
    this.crds.set(crd.metadata.name, { object: crd, type: crdToType(crd, this.schemas) });
  }

  private reindex(): void {
    this.generation += 1;
    this.custom = index([...this.crds.values()].map((c) => c.type));
  }
}
