import type { Cloud } from '../cloud.ts';
import { isoMicros } from '../cloud.ts';
import type { AccessRule, Token } from './state.ts';

/** A token as its owner reads it. */
export function tokenView(cloud: Cloud, token: Token, withCatalog: boolean): Record<string, unknown> {
  const { identity } = cloud;
  const user = identity.users.get(token.userId)!;
  const out: Record<string, unknown> = {
    methods: token.methods,
    user: { domain: domainRef(cloud, user.domain_id), id: user.id, name: user.name, password_expires_at: null },
    audit_ids: token.auditIds,
    expires_at: `${isoMicros(token.expiresAt)}Z`,
    issued_at: `${isoMicros(token.issuedAt)}Z`,
  };
  const project = token.projectId === null ? undefined : identity.projects.get(token.projectId);
  if (project) {
    out.project = { domain: domainRef(cloud, project.domain_id), id: project.id, name: project.name };
    out.is_domain = project.is_domain;
  }
  if (token.domainId !== null) out.domain = domainRef(cloud, token.domainId);
  if (token.system) out.system = { all: true };
  if (token.roleIds.length > 0) {
    out.roles = token.roleIds.map((id) => ({ id, name: identity.roles.get(id)?.name ?? id }));
    if (withCatalog) out.catalog = catalogView(cloud, token);
  }
  const credential =
    token.applicationCredentialId === null
      ? undefined
      : identity.applicationCredentials.get(token.applicationCredentialId);
  if (credential) {
    out.application_credential = {
      id: credential.id,
      name: credential.name,
      restricted: !credential.unrestricted,
      ...(credential.accessRules ? { access_rules: identity.rulesOf(credential)?.map(accessRuleView) } : {}),
    };
  }
  return out;
}

/** An access rule as Keystone shows it, in a token and by itself. */
export const accessRuleView = ({ id, service, method, path }: AccessRule) => ({ id, service, method, path });

/** The service catalog for a token's scope. */
export function catalogView(cloud: Cloud, token: Token): unknown[] {
  const { identity } = cloud;
  const out: unknown[] = [];
  for (const service of identity.services.values()) {
    if (!service.enabled) continue;
    const endpoints: unknown[] = [];
    for (const e of identity.endpoints.by('service', service.id)) {
      if (!e.enabled) continue;
      if (e.url.includes('$(') && token.projectId === null) continue;
      endpoints.push({
        id: e.id,
        interface: e.interface,
        region_id: e.region_id,
        url: e.url.replace(/\$\((project_id|tenant_id)\)s/g, token.projectId ?? ''),
        region: e.region_id,
      });
    }
    out.push({ endpoints, id: service.id, type: service.type, name: service.name });
  }
  return out;
}

function domainRef(cloud: Cloud, id: string | null): { id: string | null; name: string } {
  return { id, name: (id === null ? undefined : cloud.identity.domains.get(id)?.name) ?? 'Default' };
}
