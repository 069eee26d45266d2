import type { Environment } from '@marcbachmann/cel-js';
import { deepEqual, isObject, type JsonObject } from '../json.ts';
import { SchemaNode } from '../node.ts';
import { durationOf } from './environment.ts';

/** Turns a JSON value into what CEL computes with: integers into bigint, timestamps into Date, objects into typed messages. */
type Convert = (value: unknown) => unknown;

/** How CEL sees the values of one schema position. */
export interface CelType {
  /** Type in the notation of the CEL environment, e.g. `list<string>`, `Object.spec`. */
  name: string;
  convert: Convert;
}

const RESERVED = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/**
 * The name by which a CEL rule reaches a property, e.g. `__namespace__` for `namespace`, `a__dash__b` for `a-b`.
 *
 * @returns undefined for names that cannot be reached
 */
function escapeName(name: string): string | undefined {
  if (RESERVED.has(name)) return `__${name}__`;
  if (!/^[A-Za-z_.\-/][A-Za-z0-9_.\-/]*$/.test(name)) return undefined;
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
}

const EMBEDDED_META = new SchemaNode({
  type: 'object',
  properties: { name: { type: 'string' }, generateName: { type: 'string' } },
});
const STRING = new SchemaNode({ type: 'string' });

const identity: Convert = (value) => value;
const toInteger: Convert = (value) => (typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value);

/** A wrapper of a JSON object with lazily converted fields; equality is that of the JSON beneath. */
abstract class CelMessage {
  readonly source: JsonObject;
  constructor(source: JsonObject) {
    this.source = source;
  }
}

/** Registers the types of one schema in an environment; each schema needs its own environment. */
export class CelTypes {
  readonly #environment: Environment;
  readonly #types = new Map<SchemaNode, CelType | undefined>();
  #count = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /**
   * @param resource - the root of a resource or an embedded one: rules see apiVersion, kind, metadata.name and .generateName
   * @returns undefined when CEL cannot see values of this schema, because it names no type
   */
  of(node: SchemaNode, resource = node.embedded): CelType | undefined {
    if (this.#types.has(node)) return this.#types.get(node);
    const type = this.#make(node, resource);
    this.#types.set(node, type);
    return type;
  }

  #make(node: SchemaNode, resource: boolean): CelType | undefined {
    if (node.intOrString) return { name: 'dyn', convert: toInteger };
    return this.#plain(node, resource);
  }

  #plain(node: SchemaNode, resource: boolean): CelType | undefined {
    switch (node.type) {
      case 'boolean':
        return { name: 'bool', convert: identity };
      case 'number':
        return { name: 'double', convert: identity };
      case 'integer':
        return { name: 'int', convert: toInteger };
      case 'string':
        return this.#string(node);
      case 'array': {
        const item = node.items && this.of(node.items);
        if (item === undefined) return undefined;
        const convert: Convert =
          item.convert === identity ? identity : (value) => (Array.isArray(value) ? value.map(item.convert) : value);
        return { name: `list<${item.name}>`, convert };
      }
      case 'object':
        return this.#object(node, resource);
      default:
        return undefined;
    }
  }

  #string(node: SchemaNode): CelType {
    switch (node.format) {
      case 'date':
      case 'date-time':
        return { name: 'google.protobuf.Timestamp', convert: (value) => new Date(String(value)) };
      case 'duration':
        return { name: 'google.protobuf.Duration', convert: durationOf };
      case 'byte':
        return { name: 'bytes', convert: (value) => new Uint8Array(Buffer.from(String(value), 'base64')) };
      default:
        return { name: 'string', convert: identity };
    }
  }

  #object(node: SchemaNode, resource: boolean): CelType | undefined {
    const additional = node.additional;
    if (additional !== undefined && node.properties.size === 0) {
      const value = this.of(additional);
      if (value === undefined) return undefined;
      const convert: Convert = (map) => {
        if (!isObject(map) || value.convert === identity) return map;
        return Object.fromEntries(Object.entries(map).map(([key, item]) => [key, value.convert(item)]));
      };
      return { name: `map<string, ${value.name}>`, convert };
    }
    return this.#message(node, resource);
  }

  #message(node: SchemaNode, resource: boolean): CelType {
    const name = `Object${this.#count++}`;
    const fields: Record<string, string> = {};
    class Message extends CelMessage {}
    const define = (property: string, child: SchemaNode): void => {
      const escaped = escapeName(property);
      const type = escaped === undefined ? undefined : this.of(child);
      if (escaped === undefined || type === undefined) return;
      fields[escaped] = type.name;
      const convert = type.convert;
      Object.defineProperty(Message.prototype, escaped, {
        get(this: CelMessage) {
          const value = this.source[property];
          // A null is as good as absent to a rule: has() says no.
          return value === undefined || value === null ? undefined : convert(value);
        },
      });
    };
    if (resource) {
      define('apiVersion', STRING);
      define('kind', STRING);
      define('metadata', EMBEDDED_META);
    }
    for (const [property, child] of node.properties) {
      if (resource && ['apiVersion', 'kind', 'metadata'].includes(property)) continue;
      define(property, child);
    }
    this.#environment.registerType(name, { ctor: Message, fields });
    this.#environment.registerOperator(`${name} == ${name}`, (a: CelMessage, b: CelMessage) =>
      deepEqual(a.source, b.source),
    );
    return { name, convert: (value) => (isObject(value) ? new Message(value) : value) };
  }
}
