import { type Region, timestamp } from '@shoto/api';
import { TerminalError } from '@shoto/reconciler';
import type { ApplicationCredentialCreate, TokenInfo } from 'openstack-client-ts';
import { type Owner, ownedBy } from '../../names.ts';
import { accessRules } from './access-rules.ts';
import { LIFE_MS } from './needs.ts';

/** Roles where the Region names none. A token has none of the roles that its roles imply, so `reader` is named too. */
const ROLES = ['member', 'load-balancer_member', 'reader'];

/** Name in the cloud of a cluster's n-th credential for addons. Keystone takes a user's name only once: it is the lock, too. */
export const credentialName = (o: Owner, serial: number): string => `shoto-addons-${o.clusterUid}-${serial}`;

/** What a credential is made from. */
export interface CredentialInput {
  owner: Owner;
  serial: number;
  /** Content of the region's own token. */
  token: TokenInfo;
  region: Region;
  /** Without them it may make every call that its roles allow. */
  withRules: boolean;
  /** Milliseconds since the epoch. */
  now: number;
}

/**
 * The application credential that Keystone is asked for. Pure.
 *
 * @throws {TerminalError} `CredentialsRestricted`, `RoleMissing`: what the region's own credentials lack, and the mend
 */
export function credentialRequest(i: CredentialInput): ApplicationCredentialCreate {
  if (i.token.application_credential?.restricted) throw restricted(i.region);
  return {
    name: credentialName(i.owner, i.serial),
    description: ownedBy(i.owner),
    roles: rolesOf(i).map((name) => ({ name })),
    unrestricted: false,
    // Keystone's form has no zone.
    expires_at: timestamp(i.now + LIFE_MS).replace(/Z$/, ''),
    ...(i.withRules ? { access_rules: accessRules((i.token.catalog ?? []).map((s) => s.type)) } : {}),
  };
}

/** Keystone lets a restricted application credential make no other one. */
export function restricted({ metadata, spec }: Region): TerminalError {
  const { namespace, name } = spec.openstack.credentialsSecretRef;
  return new TerminalError(
    'CredentialsRestricted',
    `region ${metadata.name} logs in with a restricted application credential, and Keystone lets these make no others, so addons get none: put a user's password, or an application credential that was made with --unrestricted, into Secret ${namespace}/${name}`,
  );
}

function rolesOf({ token, region }: CredentialInput): string[] {
  const has = (token.roles ?? []).map((r) => r.name);
  const named = region.spec.addons?.roles;
  const where = `region ${region.metadata.name}`;
  const missing = named?.find((r) => !has.includes(r));
  if (missing !== undefined)
    throw new TerminalError(
      'RoleMissing',
      `Region.spec.addons.roles: the credentials of ${where} have no role "${missing}" in their project, only ${[...has].sort().join(', ')}: give their user the role, or name others`,
    );
  const roles = named ?? ROLES.filter((r) => has.includes(r));
  if (roles.length === 0)
    throw new TerminalError(
      'RoleMissing',
      `Region.spec.addons.roles: the credentials of ${where} have none of the roles ${ROLES.join(', ')} in their project, only ${[...has].sort().join(', ')}: name those that addons shall have`,
    );
  return [...roles];
}
