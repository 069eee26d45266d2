import { isObject, type JsonObject } from '../json.ts';
import type { SchemaNode } from '../node.ts';

/**
 * One step of a field path in FieldsV1 notation: `f:<field>`, `k:<JSON of a list-map's keys>`, `v:<JSON of a set's value>` or
 * `i:<index>`.
 */
export type PathElement = string;

/** The path element of a field. */
export const fieldElement = (name: string): PathElement => `f:${name}`;

/** A set of fields of an object, as structured-merge-diff keeps it: membership of a parent and of its children are separate. */
export class FieldSet {
  readonly members: Set<PathElement>;
  readonly children: Map<PathElement, FieldSet>;

  constructor(members: Set<PathElement> = new Set(), children: Map<PathElement, FieldSet> = new Map()) {
    this.members = members;
    this.children = children;
  }

  /** Reads FieldsV1; anything that is not an object is an empty set. */
  static parse(fields: unknown): FieldSet {
    const set = new FieldSet();
    if (!isObject(fields)) return set;
    for (const [element, below] of Object.entries(fields)) {
      if (element === '.' || !isObject(below)) continue;
      const keys = Object.keys(below);
      if (keys.length === 0 || '.' in below) set.members.add(element);
      if (keys.length > ('.' in below ? 1 : 0)) set.children.set(element, FieldSet.parse(below));
    }
    return set;
  }

  static of(...paths: PathElement[][]): FieldSet {
    const set = new FieldSet();
    for (const path of paths) set.insert(path);
    return set;
  }

  /** FieldsV1 as kube-apiserver writes it, with sorted keys. */
  serialize(includeSelf = false): JsonObject {
    const fields: JsonObject = {};
    if (includeSelf) fields['.'] = {};
    const elements = new Set([...this.members, ...this.children.keys()]);
    for (const element of [...elements].sort(compareElements)) {
      const below = this.children.get(element);
      fields[element] = below === undefined ? {} : below.serialize(this.members.has(element));
    }
    return fields;
  }

  insert(path: readonly PathElement[]): void {
    if (path.length === 0) return;
    let set: FieldSet = this;
    for (let i = 0; i < path.length - 1; i++) set = set.descend(path[i]!);
    set.members.add(path[path.length - 1]!);
  }

  /** The set of children below an element, made when it is not there. */
  descend(element: PathElement): FieldSet {
    let below = this.children.get(element);
    if (below === undefined) {
      below = new FieldSet();
      this.children.set(element, below);
    }
    return below;
  }

  get isEmpty(): boolean {
    if (this.members.size > 0) return false;
    for (const below of this.children.values()) if (!below.isEmpty) return false;
    return true;
  }

  union(other: FieldSet): FieldSet {
    const children = new Map(this.children);
    for (const [element, below] of other.children) {
      const mine = children.get(element);
      children.set(element, mine === undefined ? below : mine.union(below));
    }
    return new FieldSet(this.members.union(other.members), children);
  }

  intersection(other: FieldSet): FieldSet {
    const children = new Map<PathElement, FieldSet>();
    for (const [element, below] of this.children) {
      const theirs = other.children.get(element);
      const both = theirs === undefined ? undefined : below.intersection(theirs);
      if (both !== undefined && !both.isEmpty) children.set(element, both);
    }
    return new FieldSet(this.members.intersection(other.members), children);
  }

  /** Without the members of `other`; the children of a removed parent stay. */
  difference(other: FieldSet): FieldSet {
    const children = new Map<PathElement, FieldSet>();
    for (const [element, below] of this.children) {
      const theirs = other.children.get(element);
      const left = theirs === undefined ? below : below.difference(theirs);
      if (!left.isEmpty) children.set(element, left);
    }
    return new FieldSet(this.members.difference(other.members), children);
  }

  /** Without the members of `other` and all that is below them. */
  recursiveDifference(other: FieldSet): FieldSet {
    const children = new Map<PathElement, FieldSet>();
    for (const [element, below] of this.children) {
      if (other.members.has(element)) continue;
      const theirs = other.children.get(element);
      const left = theirs === undefined ? below : below.recursiveDifference(theirs);
      if (!left.isEmpty) children.set(element, left);
    }
    return new FieldSet(this.members.difference(other.members), children);
  }

  /** Adds, for each child below a named field, that field: `spec.replicas` then also says `spec`, but a map's key is not added. */
  withNamedParents(node: SchemaNode | undefined): FieldSet {
    const members = new Set(this.members);
    const children = new Map<PathElement, FieldSet>();
    for (const [element, below] of this.children) {
      let child: SchemaNode | undefined;
      if (element.startsWith('f:')) {
        const name = element.slice(2);
        if (node?.properties.has(name)) members.add(element);
        child = node?.field(name);
      } else if (element.startsWith('k:')) child = node?.items;
      children.set(element, below.withNamedParents(child));
    }
    return new FieldSet(members, children);
  }

  /** Every member's path, parents before children, in the order of FieldsV1. */
  *paths(prefix: readonly PathElement[] = []): Generator<PathElement[]> {
    for (const element of [...this.members].sort(compareElements)) yield [...prefix, element];
    for (const element of [...this.children.keys()].sort(compareElements)) {
      yield* this.children.get(element)!.paths([...prefix, element]);
    }
  }
}

const RANK: Record<string, number> = { f: 0, k: 1, v: 2, i: 3 };

function compareElements(a: PathElement, b: PathElement): number {
  const rank = (RANK[a[0]!] ?? 4) - (RANK[b[0]!] ?? 4);
  if (rank !== 0) return rank;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A path as conflicts show it, e.g. `.spec.ports[port=80,protocol="TCP"].name`. */
export function pathText(path: readonly PathElement[]): string {
  return path
    .map((element) => {
      const rest = element.slice(2);
      if (element.startsWith('f:')) return `.${rest}`;
      if (element.startsWith('v:')) return `[=${rest}]`;
      if (element.startsWith('i:')) return `[${rest}]`;
      const keys = JSON.parse(rest) as JsonObject;
      return `[${Object.entries(keys)
        .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
        .join(',')}]`;
    })
    .join('');
}
