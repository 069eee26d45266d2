import { parseCidr, parseIp } from '../../core/ip.ts';
import type { Json } from '../../core/message.ts';
import { badRequest, disallowed } from './errors.ts';

type AttributeType = 'string' | 'bool' | 'int' | 'uuid' | 'list' | 'strings' | 'object' | 'ip' | 'cidr' | 'mac' | 'any';

/** What an attribute may be and where it may be given. */
export interface AttributeSpec {
  type: AttributeType;
  /** May be null. */
  nullable?: boolean;
  /** POST must have it. */
  required?: boolean;
  /** POST may have it (default true). */
  post?: boolean;
  /** PUT may have it (default true). */
  put?: boolean;
  /** Only an administrator may set it. */
  admin?: boolean;
}

/** The attributes that every Neutron resource has. */
export const commonAttributes: Record<string, AttributeSpec> = {
  name: { type: 'string' },
  description: { type: 'string' },
  project_id: { type: 'string', put: false },
  tenant_id: { type: 'string', put: false },
};

const readOnly = ['id', 'status', 'created_at', 'updated_at', 'revision_number'];

/** Checks a body's attributes as Neutron does; throws 400 or 403 in its words. */
export function checkAttributes(
  singular: string,
  specs: Record<string, AttributeSpec>,
  given: Json,
  verb: 'POST' | 'PUT',
  isAdmin: boolean,
): void {
  const unknown = Object.keys(given).filter((key) => !(key in specs) && !readOnly.includes(key));
  if (unknown.length > 0) throw badRequest(`Unrecognized attribute(s) '${unknown.join(', ')}'`);
  for (const [key, value] of Object.entries(given)) {
    const spec = specs[key];
    if (!spec || (verb === 'POST' ? spec.post === false : spec.put === false)) {
      throw badRequest(
        verb === 'POST' ? `Attribute '${key}' not allowed in POST` : `Cannot update read-only attribute ${key}`,
      );
    }
    if (spec.admin && !isAdmin && value !== undefined && value !== false) {
      const action = `${verb === 'POST' ? 'create' : 'update'}_${singular}`;
      throw disallowed(action, `${action}:${key}`);
    }
    if (value === null && spec.nullable) continue;
    const reason = complaint(spec.type, value);
    if (reason) throw badRequest(`Invalid input for ${key}. Reason: ${reason}.`);
    if (spec.type === 'bool') given[key] = value === true || ['true', '1'].includes(String(value).toLowerCase());
    if (spec.type === 'int') given[key] = Number(value);
  }
  if (verb === 'POST') {
    const missing = Object.entries(specs).find(([key, spec]) => spec.required && given[key] === undefined);
    if (missing) throw badRequest(`Failed to parse request. Required attribute '${missing[0]}' not specified`);
  }
}

function complaint(type: AttributeType, value: unknown): string | undefined {
  switch (type) {
    case 'string':
      if (typeof value !== 'string') return `'${show(value)}' is not a valid string`;
      return value.length > 255 ? `'${value}' exceeds maximum length of 255` : undefined;
    case 'bool':
      return typeof value === 'boolean' || ['true', 'false', '1', '0'].includes(String(value).toLowerCase())
        ? undefined
        : `'${show(value)}' cannot be converted to boolean`;
    case 'int':
      return /^-?\d+$/.test(String(value)) ? undefined : `'${show(value)}' is not an integer`;
    case 'uuid':
      return typeof value === 'string' && /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(value)
        ? undefined
        : `'${show(value)}' is not a valid UUID`;
    case 'list':
      return Array.isArray(value) ? undefined : `'${show(value)}' is not a list`;
    case 'strings':
      return Array.isArray(value) && value.every((v) => typeof v === 'string')
        ? undefined
        : `'${show(value)}' is not a list`;
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? undefined
        : `'${show(value)}' is not a dictionary`;
    case 'ip':
      return typeof value === 'string' && parseIp(value) ? undefined : `'${show(value)}' is not a valid IP address`;
    case 'cidr':
      return typeof value === 'string' && value.includes('/') && parseCidr(value)
        ? undefined
        : `'${show(value)}' is not a valid IP subnet`;
    case 'mac':
      return typeof value === 'string' && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(value)
        ? undefined
        : `'${show(value)}' is not a valid MAC address`;
    case 'any':
      return undefined;
  }
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
