import { deepFreeze, type Json } from '../json.ts';
import { type Manifest, objectsIn } from './object.ts';
import { fill, type Origin, referencesOf, type Scope, templateOf } from './template.ts';

/** A piece of a bundle that gives objects. */
export interface Unit {
  origin: Origin;
  /** Facts and values that it needs: `facts.podCIDR`. */
  references: string[];
  /** Its objects. Where nothing has to be filled in they are frozen, and the same for all. */
  make: (scope: Scope) => readonly Manifest[];
}

/** A document in which nothing is filled in. @throws {BundleError} `BrokenManifest` */
export function staticUnit(value: Json, origin: Origin): Unit {
  const objects = deepFreeze(objectsIn(value, origin));
  return { origin, references: [], make: () => objects };
}

/** A document with or without placeholders. @throws {BundleError} `BrokenManifest` */
export function unitOf(value: Json, origin: Origin): Unit {
  const template = templateOf(value, origin);
  if (template.kind === 'static') return staticUnit(value, origin);
  return {
    origin,
    references: referencesOf(template),
    make: (scope) => objectsIn(fill(template, scope, origin), origin),
  };
}
