import { isObject, type JsonObject } from './json.ts';

/** A rule of `x-kubernetes-validations`. */
export interface ValidationRule {
  rule: string;
  message?: string;
  messageExpression?: string;
  reason?: string;
  fieldPath?: string;
  optionalOldSelf?: boolean;
}

/** Finds the schema behind a `$ref`; returns undefined when there is none. */
export type RefResolver = (ref: string) => JsonObject | undefined;

const NO_REFS: RefResolver = () => undefined;

/**
 * One position of an OpenAPI v3 schema: what kube-apiserver knows of the value there. Children are made when they are first asked
 * for, so that recursive schemas (JSONSchemaProps) and schemas of which only a corner is used cost nothing.
 */
export class SchemaNode {
  readonly raw: JsonObject;
  /** '' when the schema names none (int-or-string, preserved values, RawExtension). */
  readonly type: string;
  readonly format: string;
  readonly nullable: boolean;
  readonly intOrString: boolean;
  readonly preserveUnknown: boolean;
  /** Preserved here or by an ancestor: server-side apply then takes unknown fields as they are. */
  readonly inheritsPreserve: boolean;
  readonly embedded: boolean;
  readonly listType: 'atomic' | 'set' | 'map';
  readonly listKeys: readonly string[];
  readonly atomicMap: boolean;
  readonly required: readonly string[];
  readonly rules: readonly ValidationRule[];
  readonly mergeKey: string | undefined;
  readonly mergeStrategies: readonly string[];
  readonly #refs: RefResolver;
  readonly #origin: string | undefined;
  #properties: Map<string, SchemaNode> | undefined;
  #items: SchemaNode | null | undefined;
  #additional: SchemaNode | null | undefined;

  constructor(schema: JsonObject, refs: RefResolver = NO_REFS, inheritedPreserve = false) {
    const { raw, ref } = resolveRefs(schema, refs);
    this.raw = raw;
    this.#refs = refs;
    this.#origin = ref;
    const extension = (name: string): unknown => raw[`x-kubernetes-${name}`];
    this.type = typeof raw.type === 'string' ? raw.type : '';
    this.format = typeof raw.format === 'string' ? raw.format : '';
    this.nullable = raw.nullable === true;
    this.intOrString = extension('int-or-string') === true || this.format === 'int-or-string';
    this.preserveUnknown = extension('preserve-unknown-fields') === true;
    this.inheritsPreserve = this.preserveUnknown || inheritedPreserve;
    this.embedded = extension('embedded-resource') === true;
    const listType = extension('list-type');
    this.listType = listType === 'set' || listType === 'map' ? listType : 'atomic';
    this.listKeys = this.listType === 'map' ? strings(extension('list-map-keys')) : [];
    this.atomicMap = extension('map-type') === 'atomic';
    this.required = strings(raw.required);
    const rules = extension('validations');
    this.rules = Array.isArray(rules) ? (rules as ValidationRule[]) : [];
    const mergeKey = extension('patch-merge-key');
    this.mergeKey = typeof mergeKey === 'string' ? mergeKey : undefined;
    const strategy = extension('patch-strategy');
    this.mergeStrategies = typeof strategy === 'string' ? strategy.split(',') : [];
  }

  /** The component this schema was written as, e.g. `io.k8s.api.core.v1.Pod`; undefined for an inline schema. */
  get component(): string | undefined {
    return this.#origin;
  }

  get hasDefault(): boolean {
    return this.raw.default !== undefined && this.raw.default !== null;
  }

  get properties(): Map<string, SchemaNode> {
    if (this.#properties === undefined) {
      this.#properties = new Map();
      if (isObject(this.raw.properties)) {
        for (const [name, schema] of Object.entries(this.raw.properties)) {
          if (isObject(schema)) this.#properties.set(name, this.#child(schema));
        }
      }
    }
    return this.#properties;
  }

  get items(): SchemaNode | undefined {
    if (this.#items === undefined) this.#items = isObject(this.raw.items) ? this.#child(this.raw.items) : null;
    return this.#items ?? undefined;
  }

  /** Schema of values under keys that `properties` does not name; `ANYTHING` for `additionalProperties: true`. */
  get additional(): SchemaNode | undefined {
    if (this.#additional === undefined) {
      const additional = this.raw.additionalProperties;
      if (isObject(additional)) this.#additional = this.#child(additional);
      else this.#additional = additional === true ? ANYTHING : null;
    }
    return this.#additional ?? undefined;
  }

  /** The node of one field of an object as server-side apply sees it; undefined when the field is not declared. */
  field(name: string): SchemaNode | undefined {
    const declared = this.properties.get(name) ?? this.additional;
    if (declared !== undefined) return declared;
    const open = this.inheritsPreserve || (this.raw.additionalProperties !== false && this.properties.size === 0);
    return open ? ANYTHING : undefined;
  }

  /** How server-side apply treats a value here: by the schema's type or, where it has none, by the value's own. */
  shape(value: unknown): 'scalar' | 'list' | 'map' {
    if (this.type === 'object') return 'map';
    if (this.type === 'array') return 'list';
    if (this.type !== '') return 'scalar';
    if (Array.isArray(value)) return 'list';
    return isObject(value) || value === null ? 'map' : 'scalar';
  }

  #child(schema: JsonObject): SchemaNode {
    return new SchemaNode(schema, this.#refs, this.inheritsPreserve);
  }
}

/** Any value at all: maps are merged by key, lists are replaced as a whole. */
export const ANYTHING = new SchemaNode({ 'x-kubernetes-preserve-unknown-fields': true });

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((v): v is string => typeof v === 'string') : [];
}

/** Kubernetes writes a reference with siblings as `allOf: [{$ref}]` beside them; the siblings win. */
function resolveRefs(schema: JsonObject, refs: RefResolver): { raw: JsonObject; ref: string | undefined } {
  const single = Array.isArray(schema.allOf) && schema.allOf.length === 1 ? schema.allOf[0] : undefined;
  const wrapped = isObject(single) && typeof single.$ref === 'string' ? single.$ref : undefined;
  const ref = typeof schema.$ref === 'string' ? schema.$ref : wrapped;
  if (ref === undefined) return { raw: schema, ref: undefined };
  const target = refs(ref);
  const name = ref.slice(ref.lastIndexOf('/') + 1);
  if (target === undefined) return { raw: { 'x-kubernetes-preserve-unknown-fields': true }, ref: name };
  const { allOf: _allOf, $ref: _ref, ...siblings } = schema;
  return { raw: Object.keys(siblings).length === 0 ? target : { ...target, ...siblings }, ref: name };
}
