import type { Fields } from '../types.ts';

export interface Project extends Fields {
  id: string;
  name: string;
  description: string;
  domain_id: string;
  parent_id: string | null;
  enabled: boolean;
  is_domain: boolean;
  tags?: string[];
}

export interface ProjectCreate extends Fields {
  name: string;
  description?: string;
  domain_id?: string;
  parent_id?: string;
  enabled?: boolean;
  tags?: string[];
}

export interface User extends Fields {
  id: string;
  name: string;
  domain_id: string;
  enabled: boolean;
  email?: string;
  description?: string;
  default_project_id?: string | null;
  password_expires_at: string | null;
}

export interface UserCreate extends Fields {
  name: string;
  password?: string;
  domain_id?: string;
  enabled?: boolean;
  email?: string;
  description?: string;
  default_project_id?: string;
}

export interface Role extends Fields {
  id: string;
  name: string;
  domain_id: string | null;
}

export interface RegionInfo extends Fields {
  id: string;
  description: string;
  parent_region_id: string | null;
}

/** One call that the credential may make: `{service: 'compute', method: 'GET', path: '/v2.1/servers/*'}`. */
export interface AccessRule extends Fields {
  id?: string;
  service: string;
  method: string;
  path: string;
}

export interface ApplicationCredential extends Fields {
  id: string;
  name: string;
  description: string | null;
  project_id: string;
  /** RFC 3339 without a zone, UTC; null never ends. */
  expires_at: string | null;
  roles: { id: string; name: string }[];
  /** Zed says null for one that was made without it. */
  unrestricted: boolean | null;
  access_rules?: AccessRule[];
  /** Only in the answer to a create. */
  secret?: string;
}

export interface ApplicationCredentialCreate extends Fields {
  name: string;
  description?: string;
  /** Keystone makes one up without it. */
  secret?: string;
  expires_at?: string;
  /** Default: the roles of the token that makes it. */
  roles?: ({ id: string } | { name: string })[];
  /** May make further credentials. Default false. */
  unrestricted?: boolean;
  access_rules?: AccessRule[];
}
