import { Table } from '../../core/table.ts';

/** Something of Keystone's with a name. */
export interface Named {
  id: string;
  name: string;
  description: string;
  enabled: boolean;
  domain_id: string | null;
  /** Attributes that Keystone keeps and does not understand. */
  extra: Record<string, unknown>;
}

export interface Project extends Named {
  is_domain: boolean;
  parent_id: string | null;
  tags: string[];
}

export interface User extends Named {
  password: string;
  default_project_id: string | null;
}

export interface Assignment {
  id: string;
  roleId: string;
  /** Exactly one of these. */
  userId: string | null;
  groupId: string | null;
  /** Exactly one of these three. */
  projectId: string | null;
  domainId: string | null;
  system: boolean;
  /** Holds for the projects below, not for the project or domain itself. */
  inherited: boolean;
}

/** A user in a group; the id is `group/user`. */
export interface Membership {
  id: string;
  groupId: string;
  userId: string;
}

/** Who has the prior role has the implied one too; the id is `prior/implied`. */
export interface Implication {
  id: string;
  priorId: string;
  impliedId: string;
}

/** Something of a user's that other services keep in Keystone, such as an EC2 key pair. */
export interface Credential {
  id: string;
  type: string;
  blob: string;
  userId: string;
  projectId: string | null;
}

/** One allowed kind of call. It is its user's, whose application credentials share it, and stays when they go. */
export interface AccessRule {
  id: string;
  userId: string;
  service: string;
  method: string;
  path: string;
}

export interface ApplicationCredential {
  id: string;
  name: string;
  description: string;
  secret: string;
  userId: string;
  projectId: string;
  roleIds: string[];
  unrestricted: boolean;
  /** Milliseconds since the epoch, or null for never. */
  expiresAt: number | null;
  /** IDs; null: it may make every call that its roles allow. */
  accessRules: string[] | null;
}

export interface CatalogService {
  id: string;
  name: string;
  type: string;
  description: string;
  enabled: boolean;
}

export interface Endpoint {
  id: string;
  service_id: string;
  interface: string;
  region_id: string;
  /** With `$(project_id)s` where the project's id goes. */
  url: string;
  enabled: boolean;
  name?: string;
}

export interface Region {
  id: string;
  description: string;
  parent_region_id: string | null;
}

/** What a token is about. */
export interface Token {
  id: string;
  methods: string[];
  userId: string;
  projectId: string | null;
  domainId: string | null;
  system: boolean;
  roleIds: string[];
  issuedAt: number;
  expiresAt: number;
  auditIds: string[];
  applicationCredentialId: string | null;
}

/** Keystone's memory. */
export class IdentityState {
  readonly domains = new Table<Named>({ name: (d) => d.name });
  readonly projects = new Table<Project>({ name: (p) => p.name, domain: (p) => p.domain_id });
  readonly users = new Table<User>({ name: (u) => u.name });
  readonly groups = new Table<Named>({ name: (g) => g.name });
  readonly roles = new Table<Named>({ name: (r) => r.name });
  readonly assignments = new Table<Assignment>({
    user: (a) => a.userId,
    group: (a) => a.groupId,
    project: (a) => a.projectId,
    role: (a) => a.roleId,
  });
  readonly memberships = new Table<Membership>({ group: (m) => m.groupId, user: (m) => m.userId });
  readonly implications = new Table<Implication>({ prior: (i) => i.priorId });
  readonly credentials = new Table<Credential>({ user: (c) => c.userId });
  readonly applicationCredentials = new Table<ApplicationCredential>({ user: (c) => c.userId });
  readonly accessRules = new Table<AccessRule>({ user: (r) => r.userId });
  readonly services = new Table<CatalogService>({ type: (s) => s.type });
  readonly endpoints = new Table<Endpoint>({ service: (e) => e.service_id });
  readonly regions = new Table<Region>();
  readonly tokens = new Table<Token>({ user: (t) => t.userId, credential: (t) => t.applicationCredentialId });

  /** The rules of a credential; null: it has none and may make every call. */
  rulesOf(credential: ApplicationCredential): AccessRule[] | null {
    return credential.accessRules?.flatMap((id) => this.accessRules.get(id) ?? []) ?? null;
  }

  /** Roles that come with a role, itself first. */
  effectiveRoles(roleId: string): string[] {
    const found = new Set([roleId]);
    for (const id of found) for (const i of this.implications.by('prior', id)) found.add(i.impliedId);
    return [...found];
  }

  /** Assignments of a user, and of the groups that the user is in. */
  *assignmentsOf(userId: string): Generator<Assignment> {
    yield* this.assignments.by('user', userId);
    for (const m of this.memberships.by('user', userId)) yield* this.assignments.by('group', m.groupId);
  }

  /** Effective roles of a user on a project, a domain or the system, each once. */
  rolesOf(userId: string, on: { projectId?: string; domainId?: string; system?: true }): string[] {
    const above = new Set<string>();
    let at = this.projects.get(on.projectId ?? '');
    if (at?.domain_id) above.add(at.domain_id);
    while (at?.parent_id && !above.has(at.parent_id)) {
      above.add(at.parent_id);
      at = this.projects.get(at.parent_id);
    }
    const found = new Set<string>();
    for (const a of this.assignmentsOf(userId)) {
      const holds = a.inherited
        ? above.has(a.projectId ?? a.domainId ?? '')
        : (on.projectId !== undefined && a.projectId === on.projectId) ||
          (on.domainId !== undefined && a.domainId === on.domainId) ||
          (on.system === true && a.system);
      if (holds) for (const role of this.effectiveRoles(a.roleId)) found.add(role);
    }
    return [...found];
  }

  /** A user, project or domain by id, or by name within a domain. */
  findProject(ref: { id?: unknown; name?: unknown; domain?: unknown }): Project | undefined {
    if (typeof ref.id === 'string') return this.projects.get(ref.id);
    return find(this.projects, ref.name, this.findDomain(ref.domain)?.id);
  }

  findUser(ref: { id?: unknown; name?: unknown; domain?: unknown }): User | undefined {
    if (typeof ref.id === 'string') return this.users.get(ref.id);
    return find(this.users, ref.name, this.findDomain(ref.domain)?.id);
  }

  findDomain(ref: unknown): Named | undefined {
    const { id, name } = (ref ?? {}) as { id?: unknown; name?: unknown };
    if (typeof id === 'string') return this.domains.get(id);
    return typeof name === 'string' ? first(this.domains.by('name', name)) : undefined;
  }
}

function find<T extends Named>(table: Table<T>, name: unknown, domainId: string | undefined): T | undefined {
  if (typeof name !== 'string' || domainId === undefined) return undefined;
  for (const row of table.by('name', name)) if (row.domain_id === domainId) return row;
  return undefined;
}

function first<T>(rows: Iterable<T>): T | undefined {
  for (const row of rows) return row;
  return undefined;
}
