import { ProblemError } from '../problem.ts';

/** Who asks. */
export interface User {
  name: string;
  groups: string[];
}

/** Tells who sends a request; static tokens today, OIDC behind the same seam. */
export interface Authenticator {
  /**
   * @param token - what came as `Authorization: Bearer`
   * @throws {ProblemError} 401, saying whether the token is unknown or expired
   */
  authenticate(token: string): Promise<User>;
}

/** Members see and change every tenant's clusters, and the catalogue. */
export const ADMINS = 'shoto:admins';
/** Members of a tenant's team. */
export const tenantGroup = (tenant: string): string => `tenant:${tenant}`;

/** Whether somebody may work in a tenant. */
export const mayUse = (user: User, tenant: string): boolean =>
  user.groups.includes(ADMINS) || user.groups.includes(tenantGroup(tenant));

/** @throws {ProblemError} 403 where somebody may not work in a tenant */
export function requireTenant(user: User, tenant: string): void {
  if (mayUse(user, tenant)) return;
  const own = user.groups.filter((g) => g.startsWith('tenant:')).map((g) => g.slice('tenant:'.length));
  throw new ProblemError(
    403,
    'Forbidden',
    `${user.name} is not a member of tenant ${tenant}; ${own.length > 0 ? `your tenants: ${own.join(', ')}` : 'you are a member of none: ask an administrator'}`,
  );
}

/** @throws {ProblemError} 403 where somebody is no administrator */
export function requireAdmin(user: User, what: string): void {
  if (!user.groups.includes(ADMINS))
    throw new ProblemError(403, 'Forbidden', `${what} needs a member of ${ADMINS}; ${user.name} is none`);
}
