import { readFileSync } from 'node:fs';
import { badRequest } from '../status.ts';
import type { Json } from '../types.ts';
import { isRecord, text } from '../util/json.ts';

type Field = [number: number, name: string, type: string, flags: string];

interface Descriptors {
  packages: Record<string, string>;
  named: Record<string, string>;
  structs: Record<string, Field[]>;
}

/** A field on the wire: a number for varints, bytes for the rest. */
type Wire = { number: number; value: bigint | Buffer };

let loaded: Descriptors | undefined;

function descriptors(): Descriptors {
  loaded ??= JSON.parse(
    readFileSync(new URL('../builtin/generated/protobuf.json', import.meta.url), 'utf8'),
  ) as Descriptors;
  return loaded;
}

const malformed = (): Error => badRequest('unable to decode the body: the protobuf message is malformed');

function* fieldsOf(message: Buffer): Generator<Wire> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined || shift > 63n) throw malformed();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const number = Number(key >> 3n);
    const kind = Number(key & 7n);
    if (kind === 0) yield { number, value: varint() };
    else if (kind === 2 || kind === 1 || kind === 5) {
      const length = kind === 2 ? Number(varint()) : kind === 1 ? 8 : 4;
      if (at + length > message.length) throw malformed();
      yield { number, value: message.subarray(at, at + length) };
      at += length;
    } else throw malformed();
  }
}

const bytes = (value: bigint | Buffer | undefined): Buffer => (Buffer.isBuffer(value) ? value : Buffer.alloc(0));
const integer = (value: bigint | Buffer | undefined): number =>
  typeof value === 'bigint' ? Number(BigInt.asIntN(64, value)) : 0;
const fieldMap = (message: Buffer): Map<number, bigint | Buffer> =>
  new Map([...fieldsOf(message)].map((f) => [f.number, f.value]));

function time(message: Buffer, digits: number): string | undefined {
  if (message.length === 0) return undefined;
  const fields = fieldMap(message);
  const iso = new Date(integer(fields.get(1)) * 1000).toISOString().slice(0, 19);
  return digits === 0
    ? `${iso}Z`
    : `${iso}.${String(integer(fields.get(2)))
        .padStart(9, '0')
        .slice(0, digits)}Z`;
}

/** Types whose JSON is not what their message says. */
const special: Record<string, (message: Buffer) => unknown> = {
  'resource.Quantity': (m) => bytes(fieldMap(m).get(1)).toString(),
  'intstr.IntOrString': (m) => {
    const f = fieldMap(m);
    return integer(f.get(1)) === 1 ? bytes(f.get(3)).toString() : integer(f.get(2));
  },
  'meta/v1.Time': (m) => time(m, 0),
  'meta/v1.MicroTime': (m) => time(m, 6),
  'meta/v1.Duration': (m) => `${integer(fieldMap(m).get(1)) / 1e9}s`,
  'meta/v1.FieldsV1': (m) => JSON.parse(bytes(fieldMap(m).get(1)).toString() || '{}') as unknown,
  'runtime.RawExtension': (m) => JSON.parse(bytes(fieldMap(m).get(1)).toString() || 'null') as unknown,
};

const scalar = /^(string|bool|u?int\d*|float\d+|byte)$/;

function resolve(type: string): string {
  const { named, structs } = descriptors();
  let here = type;
  while (named[here] !== undefined && structs[here] === undefined) here = named[here] as string;
  return here === 'types.UID' ? 'string' : here;
}

/** One value of a type that is neither list nor map. */
function decodeValue(type: string, value: bigint | Buffer | undefined): unknown {
  if (type === 'string') return bytes(value).toString();
  if (type === '[]byte') return bytes(value).toString('base64');
  if (type === 'bool') return integer(value) !== 0;
  if (scalar.test(type)) {
    if (Buffer.isBuffer(value)) return value.length === 8 ? value.readDoubleLE() : value.readFloatLE();
    return integer(value);
  }
  const own = special[type];
  if (own) return own(bytes(value));
  // A named list is a message of its own, with the items as field 1.
  if (type.startsWith('[]'))
    return [...fieldsOf(bytes(value))].map((f) => decodeValue(resolve(type.slice(2)), f.value));
  return decodeMessage(type, bytes(value));
}

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === '' ||
  value === 0 ||
  value === false ||
  (isRecord(value) && Object.keys(value).length === 0) ||
  (Array.isArray(value) && value.length === 0);

function decodeMessage(type: string, message: Buffer): Json {
  const fields = descriptors().structs[type];
  if (!fields) return {};
  const byNumber = new Map(fields.map((f) => [f[0], f]));
  const object: Json = {};
  for (const { number, value } of fieldsOf(message)) {
    const field = byNumber.get(number);
    if (!field) continue;
    const [, name, declared, flags] = field;
    const pointer = declared.startsWith('*');
    const plain = pointer ? declared.slice(1) : declared;
    const type_ = resolve(plain);
    const entry = /^map\[([^\]]+)\](.+)$/.exec(type_);
    if (flags.includes('i')) Object.assign(object, decodeValue(type_, value));
    else if (entry) {
      const pair = fieldMap(bytes(value));
      const map = isRecord(object[name]) ? object[name] : {};
      map[bytes(pair.get(1)).toString()] = decodeValue(resolve(entry[2] as string), pair.get(2));
      object[name] = map;
    } else if (plain.startsWith('[]') && plain !== '[]byte') {
      const items = Array.isArray(object[name]) ? object[name] : [];
      items.push(decodeValue(resolve(plain.slice(2)), value));
      object[name] = items;
    } else {
      const decoded = decodeValue(type_, value);
      // Go writes every field that is no pointer, set or not; JSON leaves the unset ones out.
      if (decoded !== undefined && (pointer || !flags.includes('o') || !isEmpty(decoded))) object[name] = decoded;
    }
  }
  return object;
}

/** The media type of Kubernetes' protobuf. */
export const protobufType = 'application/vnd.kubernetes.protobuf';

/**
 * The object in a protobuf body, as its JSON form.
 * @throws {StatusError} 400 when it is malformed or of a kind without protobuf
 */
export function decodeProtobuf(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  if (body.subarray(0, 4).toString('latin1') !== 'k8s\0')
    throw badRequest('unable to decode the body: it does not start with the protobuf marker of Kubernetes');
  const envelope = fieldMap(body.subarray(4));
  const typeMeta = fieldMap(bytes(envelope.get(1)));
  const apiVersion = bytes(typeMeta.get(1)).toString();
  const kind = bytes(typeMeta.get(2)).toString();
  const { packages, structs } = descriptors();
  const own = `${packages[apiVersion] ?? ''}.${kind}`;
  const type = structs[own] ? own : `meta/v1.${kind}`;
  if (!structs[type])
    throw badRequest(`unable to decode the body: ${text(apiVersion)}, Kind=${kind} has no protobuf form here`);
  return { apiVersion, kind, ...decodeMessage(type, bytes(envelope.get(2))) };
}
