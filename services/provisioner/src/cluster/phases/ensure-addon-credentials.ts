import { type ConditionInput, findCondition, isTrue, timestamp } from '@shoto/api';
import { WaitingError } from '@shoto/reconciler';
import type { ApplicationCredential, ApplicationCredentialCreate, TokenInfo } from 'openstack-client-ts';
import { isForbidden, isNotFound } from '../../cloud/errors.ts';
import { CONDITIONS, good } from '../../conditions.ts';
import type { ClusterMemory } from '../../memory.ts';
import { isOwned, ownedBy } from '../../names.ts';
import {
  type AddonCredentials,
  isRotationDue,
  LIFE_MS,
  needsCredentials,
  OVERLAP_MS,
  ROTATE_MS,
} from '../addon-credentials/needs.ts';
import { refusal } from '../addon-credentials/probe.ts';
import { credentialName, credentialRequest, restricted } from '../addon-credentials/request.ts';
import { deleteSecret, type Held, readSecret, writeSecret } from '../addon-credentials/secret.ts';
import { type ClusterPass, found } from '../pass.ts';
import { clusterEvent } from './cluster-event.ts';

type Current = NonNullable<AddonCredentials['current']>;
type Retiring = NonNullable<AddonCredentials['retiring']>;

/**
 * The application credential that the Cluster's addons use in its cloud: made when an addon needs it, stored as a Secret, renewed by its age, and revoked when
 * no addon needs it any more. While nothing is due the cloud is asked nothing, but for one look by each
 * process, after a change of the Region, and now and then while the cluster is not Ready.
 *
 * Its name comes from the Cluster's UID. Keystone tells a secret once: what was made and is not in the Secret is of no use, is deleted and made anew.
 *
 * @returns the condition; undefined where there is nothing to say
 * @throws {ReconcileError} why there is none
 */
export async function ensureAddonCredentials(pass: ClusterPass): Promise<ConditionInput | undefined> {
  const { d, cluster, infra } = pass;
  const have = infra.addonCredentials;
  const needs = needsCredentials(cluster, d.bundles());
  if (needs === 'no' && have?.current) await giveUp(pass, have.current);
  else if (needs === 'yes' || have?.current) await provide(pass);
  await retire(pass);
  return statement(pass);
}

function statement({ infra }: ClusterPass): ConditionInput | undefined {
  const current = infra.addonCredentials?.current;
  if (!current) {
    const isStated = findCondition(infra.conditions, CONDITIONS.addonCredentials) !== undefined;
    return isStated ? good(CONDITIONS.addonCredentials, 'NotNeeded', 'no addon works in the cloud') : undefined;
  }
  const renewed = timestamp(Date.parse(current.createdAt) + ROTATE_MS).slice(0, 10);
  const free = current.accessRules
    ? ''
    : '; it may make every call that its roles allow, since services of this cloud take no credentials with access rules';
  return good(
    CONDITIONS.addonCredentials,
    'Ready',
    `addons use application credential ${current.id}; another one takes its place on ${renewed}${free}`,
  );
}

async function provide(pass: ClusterPass): Promise<void> {
  const { d, infra } = pass;
  if (!infra.networkId || !infra.subnetId) return;
  const current = infra.addonCredentials?.current;
  if (!current || isRotationDue(infra.addonCredentials, d.clock.now())) return await make(pass, 'age');
  if (!isLookDue(pass)) return;
  if (await isLost(pass, current)) await make(pass, 'loss');
  else pass.memory.addonCredentials = { region: pass.region, at: d.clock.now() };
}

/** What is there is looked at once by each process and for each change of the region; oftener only where something is wrong with the cluster. */
function isLookDue({ d, cluster, memory, region }: ClusterPass): boolean {
  const seen = memory.addonCredentials;
  if (seen?.region !== region) return true;
  return !isTrue(cluster.status?.conditions, CONDITIONS.ready) && d.clock.now() - seen.at >= d.times.lookAgainMs;
}

/** Whether what addons use is of no use: gone from the cloud or the Secret, or another user's than the region's now. Else the Secret is brought up to date. */
async function isLost(pass: ClusterPass, current: Current): Promise<boolean> {
  const [token, stored] = await Promise.all([tokenOf(pass), readSecret(pass)]);
  if (!stored || stored.held.id !== current.id) return true;
  if (token.user.id !== current.userId || token.project?.id !== current.projectId) return true;
  const there = await pass.region.cloud.find(
    `look up the application credential of the addons of ${pass.key}`,
    (c, o) => c.identity.applicationCredentials.get(current.id, o),
    pass.signal,
  );
  if (!there) return true;
  await writeSecret(pass, stored.held, stored);
  return false;
}

/** Makes the next one, or takes the one that an earlier pass made and stored. The one before is kept for a day where it still works. */
async function make(pass: ClusterPass, why: 'age' | 'loss'): Promise<void> {
  const { d, infra, owner } = pass;
  const have = infra.addonCredentials;
  const serial = (have?.serial ?? 0) + 1;
  const token = await tokenOf(pass);
  // What is lacking is said before anything is looked up.
  const request = (): ApplicationCredentialCreate =>
    credentialRequest({
      owner,
      serial,
      token,
      region: pass.region.region,
      withRules: rulesOf(pass).refusedBy === undefined,
      now: d.clock.now(),
    });
  request();
  const stored = await readSecret(pass);
  const earlier = await byName(pass, credentialName(owner, serial));
  const adopted = earlier.find((c) => c.id === stored?.held.id && c.project_id === token.project?.id);
  // Made by this process, on a cloud too slow to try it in the same pass.
  const made = pass.memory.madeCredential;
  const untried =
    made?.withRules === (request().access_rules !== undefined) ? earlier.find((c) => c.id === made.id) : undefined;
  await removeStrays(
    pass,
    earlier.filter((c) => c !== adopted && c !== untried),
  );
  const held = adopted && stored ? stored.held : await create(pass, token, request, untried && made);
  const now = d.clock.now();
  await writeSecret(pass, held, stored);
  const revokeAt = timestamp(why === 'age' ? now + OVERLAP_MS : now);
  const before: Retiring = have?.current ? [{ id: have.current.id, userId: have.current.userId, revokeAt }] : [];
  const rules = adopted ? adopted.access_rules !== undefined : rulesOf(pass).refusedBy === undefined;
  found(pass, {
    addonCredentials: {
      serial,
      current: {
        id: held.id,
        userId: token.user.id,
        projectId: held.projectId,
        createdAt: held.createdAt,
        expiresAt: held.expiresAt,
        accessRules: rules,
      },
      ...retiringOf([...(have?.retiring ?? []), ...before]),
    },
  });
  pass.memory.addonCredentials = { region: pass.region, at: now };
  delete pass.memory.madeCredential;
}

const rulesOf = ({ region }: ClusterPass) => region.credentialRules;
const retiringOf = (list: Retiring): Pick<AddonCredentials, 'retiring'> =>
  list.length > 0 ? { retiring: list.slice(-8) } : {};

const tokenOf = (pass: ClusterPass): Promise<TokenInfo> =>
  pass.region.cloud.call(`log in for ${pass.key}`, (c) => c.identity.token(), pass.signal);

async function byName(pass: ClusterPass, name: string): Promise<ApplicationCredential[]> {
  const all = await pass.region.cloud.call(
    `look up the application credential of the addons of ${pass.key}`,
    (c, o) => c.identity.applicationCredentials.list({ name }, o),
    pass.signal,
  );
  return all.filter((c) => c.name === name);
}

/** What nobody has the secret of. There may be several where a cloud takes a name more than once. */
async function removeStrays(pass: ClusterPass, strays: readonly ApplicationCredential[]): Promise<void> {
  const foreign = strays.find((c) => !isOwned(pass.owner, c));
  if (foreign)
    throw new WaitingError(
      'Ambiguous',
      `there is an application credential ${foreign.name} (${foreign.id}) that is not described as "${ownedBy(pass.owner)}": delete it, and one for the addons of ${pass.key} is made`,
      60_000,
    );
  for (const stray of strays) {
    await revoke(pass, stray.id);
    await clusterEvent(pass, {
      type: 'Normal',
      reason: 'CredentialDiscarded',
      message: `application credential ${stray.id} was made and never stored: it is deleted, and another one made`,
      action: 'MakeAddonCredentials',
    });
  }
}

/** @param untried - what an earlier pass of this process made */
async function create(
  pass: ClusterPass,
  token: TokenInfo,
  requestOf: () => ApplicationCredentialCreate,
  untried?: ClusterMemory['madeCredential'],
): Promise<Held> {
  const request = requestOf();
  const made = untried ?? (await ask(pass, token, request));
  pass.memory.madeCredential = made;
  if (request.access_rules) {
    const refusedBy = await refusal(pass, { id: made.id, secret: made.secret });
    if (refusedBy !== undefined) {
      pass.d.log.warn(
        { region: pass.region.region.metadata.name, service: refusedBy },
        'this service takes no application credentials with access rules: those of addons go without',
      );
      rulesOf(pass).refusedBy = refusedBy;
      await revoke(pass, made.id);
      return await create(pass, token, requestOf);
    }
  }
  const { withRules: _, ...held } = made;
  return held;
}

async function ask(
  pass: ClusterPass,
  token: TokenInfo,
  request: ApplicationCredentialCreate,
): Promise<NonNullable<ClusterMemory['madeCredential']>> {
  try {
    const made = await pass.region.cloud.call(
      `make an application credential for the addons of ${pass.key}`,
      (c, o) => c.identity.applicationCredentials.create(request, o),
      pass.signal,
    );
    return {
      id: made.id,
      secret: made.secret,
      projectId: made.project_id,
      createdAt: timestamp(Date.parse(`${request.expires_at}Z`) - LIFE_MS),
      expiresAt: `${request.expires_at}Z`,
      withRules: request.access_rules !== undefined,
    };
  } catch (e) {
    if (isForbidden(e) && token.methods.includes('application_credential')) throw restricted(pass.region.region);
    throw e;
  }
}

/** Revokes what was used before, once its time has come. Nothing of it is done during the emergency stop. */
async function retire(pass: ClusterPass): Promise<void> {
  const { d, infra } = pass;
  const have = infra.addonCredentials;
  const due = (have?.retiring ?? []).filter((r) => Date.parse(r.revokeAt) <= d.clock.now());
  if (!have || due.length === 0 || d.emergencyStop()) return;
  const token = await tokenOf(pass);
  for (const r of due) await revokeAs(pass, token, r);
  const { retiring, ...rest } = have;
  found(pass, { addonCredentials: { ...rest, ...retiringOf((retiring ?? []).filter((r) => !due.includes(r))) } });
}

/** No addon needs it any more. Its number stays known: what was made with it may still be in the cloud. */
async function giveUp(pass: ClusterPass, current: Current): Promise<void> {
  const have = pass.infra.addonCredentials as AddonCredentials;
  if (pass.d.emergencyStop()) return;
  await deleteSecret(pass);
  const revokeAt = timestamp(pass.d.clock.now());
  const retiring = [...(have.retiring ?? []), { id: current.id, userId: current.userId, revokeAt }];
  found(pass, { addonCredentials: { serial: have.serial, ...retiringOf(retiring) } });
}

/** Revokes a credential, if it is the region's user's; else says that a person must. */
export async function revokeAs(
  pass: ClusterPass,
  token: Pick<TokenInfo, 'user'>,
  credential: { id: string; userId: string },
): Promise<void> {
  if (credential.userId === token.user.id) return await revoke(pass, credential.id);
  await clusterEvent(pass, {
    type: 'Warning',
    reason: 'CredentialNotRevoked',
    message: `application credential ${credential.id} belongs to user ${credential.userId}, who is not the user of region ${pass.region.region.metadata.name} any more: delete it as that user or as an administrator`,
    action: 'RevokeAddonCredentials',
  });
}

async function revoke(pass: ClusterPass, id: string): Promise<void> {
  try {
    await pass.region.cloud.call(
      `revoke the application credential ${id} of the addons of ${pass.key}`,
      (c, o) => c.identity.applicationCredentials.delete(id, o),
      pass.signal,
    );
  } catch (e) {
    if (!isNotFound(e)) throw e;
  }
}

/**
 * Revokes all that the Cluster's addons were given, also what was made and never stored, and removes the Secret. For a Cluster that goes, when nothing
 * uses them any more.
 */
export async function revokeAddonCredentials(pass: ClusterPass): Promise<void> {
  const { infra, owner } = pass;
  const have = infra.addonCredentials;
  const serial = have?.serial ?? 0;
  const token = await tokenOf(pass);
  const userId = token.user.id;
  const named = await Promise.all(
    [serial, serial + 1].filter((n) => n > 0).map((n) => byName(pass, credentialName(owner, n))),
  );
  const stray = named
    .flat()
    .filter((c) => isOwned(owner, c))
    .map(({ id }) => ({ id, userId }));
  const known = [...(have?.current ? [have.current] : []), ...(have?.retiring ?? [])];
  const all = new Map([...known, ...stray].map((c) => [c.id, c]));
  for (const c of all.values()) await revokeAs(pass, token, c);
  await deleteSecret(pass);
}
