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

/**
 * One call that the credential may make: `{service: 'compute', method: 'GET', path: '/v2.1/servers/*'}`. A service takes tokens with rules only where its
 * operator has set `service_type` in `[keystone_authtoken]`; elsewhere it answers 401 to all of them.
 * Source: https://docs.openstack.org/keystone/latest/user/application_credentials.html#access-rules
 */
export interface AccessRule extends Fields {
  id?: string;
  /** Type of the service in the catalog, exactly as the service's operator wrote it. */
  service: string;
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | (string & {});
  /**
   * Path of the call with everything before its version; at most 128 characters. `*` and `{x}` stand for one part, `**` for any number:
   * two stars at its beginning for whatever comes before.
   */
  path: string;
}

export interface ApplicationCredential extends Fields {
  id: string;
  name: string;
  description: string | null;
  project_id: string;
  /** RFC 3339 without a zone, UTC; null never ends. */
  expires_at: string | null;
  /** Those that it was made with. The roles that these imply are not in its tokens. */
  roles: { id: string; name: string }[];
  /** Zed says null for one that was made without it. */
  unrestricted: boolean | null;
  access_rules?: AccessRule[];
  /** Only in the answer to a create. */
  secret?: string;
}

export interface ApplicationCredentialCreate extends Fields {
  /** Unique among those of the user. */
  name: string;
  description?: string;
  /** Keystone makes one up without it. */
  secret?: string;
  /** RFC 3339; default: it never ends. Tokens end no later than it does. */
  expires_at?: string;
  /** Default: the roles of the token that makes it. BadRequestError for one that this token lacks. */
  roles?: ({ id: string } | { name: string })[];
  /** May make further credentials. Default false. */
  unrestricted?: boolean;
  access_rules?: AccessRule[];
}
