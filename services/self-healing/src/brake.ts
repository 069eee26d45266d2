import type { Machine } from '@shoto/api';
import { GROUP, hostOf, zoneOf } from './census.ts';
import { mayTouch, type Quorum } from './control-plane.ts';
import type { Action } from './ladder.ts';
import type { Settings } from './settings.ts';

/** Why an order is not given now. */
export interface Brake {
  reason: string;
  /** For people; says nothing that changes from pass to pass. */
  message: string;
  /** It says that much fails together: after it calm must come first. */
  storm?: true;
}

/** A machine that ails, or that has an order open. */
export interface Patient {
  key: string;
  machine: Machine;
  /** Since when it ails, in milliseconds since the epoch. */
  from: number;
  /** The order that is open, or carried out and given its time to help. */
  open?: Action;
}

/** An order that the ladder would give. */
export interface Candidate extends Patient {
  action: Action;
}

/** What of a cluster the brake looks at. */
export interface ClusterFacts {
  name: string;
  quorum: Quorum;
  /** Its machines are being replaced, because of a change. */
  isRolling: boolean;
  /** Roles of which some machine is on its way out, not by our order. */
  leaving: ReadonlySet<Machine['spec']['role']>;
  /** When the last storm that held here ended, in milliseconds since the epoch: never, while it is stated as lasting. */
  storm?: { ended: number | undefined };
}

/** What the brake looks at: everything that ails in a region. */
export interface Scene {
  now: number;
  settings: Settings;
  /** Everything that ails, exempt machines too. Open orders count as sick. */
  sick: readonly Patient[];
  /** How many machines a group of the census has. */
  count: (group: string | undefined) => number;
  /** By UID; every cluster that has a candidate. */
  clusters: ReadonlyMap<string, ClusterFacts>;
  /** The emergency stop of the fleet, in one line. */
  stop: string | undefined;
  /** The region's cloud answers as it should. */
  cloudReady: boolean;
  /** Machines that the cloud refuses or fails. */
  troubled: number;
  /** When storms that other clusters were held by ended, by the words of the brake: a zone's is the same for all that are in it. */
  calm: ReadonlyMap<string, number>;
}

/** Machines that share a host or zone and fell sick together, from this many on, are the host's or zone's trouble. */
const SHARED = 3;
/** From this many refused machines on the cloud counts as failing. */
const TROUBLED = 3;
const REGION_MAX = 50;

const clusterUid = (p: Patient): string => p.machine.spec.cluster.uid;

/** How many machines that serve, or are to be replaced, may be under an order at once among so many. */
export const disturbedAtOnce = (machines: number): number => 1 + Math.floor(machines / 10);

/** What was decided: what is given now, and what holds the rest. */
export interface Verdicts {
  granted: Candidate[];
  held: Map<string, Brake[]>;
}

/**
 * Decides over all orders of a region at once: control planes first, then whoever is sick longest. What is granted here counts for the next.
 */
export function decide(candidates: readonly Candidate[], scene: Scene): Verdicts {
  const groups = countSick(scene.sick);
  const result: Verdicts = { granted: [], held: new Map() };
  const rank = (c: Candidate): number => (c.machine.spec.role === 'control-plane' ? 0 : 1);
  const sorted = [...candidates].sort((a, b) => rank(a) - rank(b) || a.from - b.from || (a.key < b.key ? -1 : 1));
  for (const c of sorted) {
    const brakes = [...storms(c, scene, groups), ...turns(c, scene, result.granted)];
    if (brakes.length === 0) result.granted.push(c);
    else result.held.set(c.key, brakes);
  }
  return result;
}

function countSick(sick: readonly Patient[]): Map<string, Patient[]> {
  const groups = new Map<string, Patient[]>();
  for (const p of sick) {
    const host = hostOf(p.machine);
    const names = [...Object.values(GROUP).map((of) => of(p.machine)), host && `host/${host}`];
    for (const g of names) if (g) groups.set(g, [...(groups.get(g) ?? []), p]);
  }
  return groups;
}

/** What says that it is not this machine that is ill, but what it shares with others. */
function storms(c: Candidate, s: Scene, sick: Map<string, Patient[]>): Brake[] {
  const all = possibleStorms(c, s, sick);
  const held: Brake[] = all.filter((b) => b.holds).map(({ reason, message }) => ({ reason, message, storm: true }));
  if (held.length === 0) held.push(...cooling(c, s, all));
  return s.stop ? [{ reason: 'EmergencyStop', message: s.stop }, ...held] : held;
}

/** Every storm that a machine may be in, the widest first, and whether it is. */
function possibleStorms(c: Candidate, s: Scene, sick: Map<string, Patient[]>): (Brake & { holds: boolean })[] {
  const { machine } = c;
  const name = s.clusters.get(clusterUid(c))?.name ?? machine.spec.cluster.name;
  const percent = Math.round(s.settings.share * 100);
  const share = (group: string | undefined, { reason, where }: { reason: string; where: string }) => {
    const n = (group && sick.get(group)?.length) || 0;
    return {
      reason,
      message: `more than ${percent} % of the machines of ${where} are sick at once`,
      holds: n > 1 && n > s.settings.share * s.count(group),
    };
  };
  const hasOthers = (group: string | undefined): boolean => s.count(GROUP.cluster(machine)) > s.count(group);
  const { region } = machine.spec;
  const [zone, host] = [zoneOf(machine), hostOf(machine)];
  return [
    {
      reason: 'CloudNotReady',
      message: `the cloud of region ${region} does not answer as it should: the Region's Ready says why`,
      holds: !s.cloudReady,
    },
    {
      reason: 'CloudFailing',
      message: `the cloud refuses or fails ${TROUBLED} or more machines of region ${region}: their ServerReady says why`,
      holds: s.troubled >= TROUBLED,
    },
    share(GROUP.region(machine), { reason: 'RegionShare', where: `region ${region}` }),
    ...(zone ? [share(GROUP.zone(machine), { reason: 'ZoneShare', where: `zone ${zone} of region ${region}` })] : []),
    share(GROUP.cluster(machine), { reason: 'ClusterShare', where: `cluster ${name}` }),
    share(GROUP.pool(machine), { reason: 'PoolShare', where: `pool ${machine.spec.pool} of cluster ${name}` }),
    {
      reason: 'SharedHost',
      message: `${SHARED} or more machines on one host fell sick together (hostId ${host}): it is the host that is ill`,
      holds:
        host !== undefined &&
        hasOthers(GROUP.clusterHost(machine)) &&
        together(c, sick.get(`host/${host}`), s.settings),
    },
    {
      reason: 'SharedZone',
      message: `${SHARED} or more machines of cluster ${name} in zone ${zone} fell sick together, and it has others elsewhere`,
      holds:
        zone !== undefined &&
        hasOthers(GROUP.clusterZone(machine)) &&
        together(c, sick.get(GROUP.clusterZone(machine) ?? ''), s.settings),
    },
  ];
}

/** Whether a machine is one of several that fell sick at about one time. */
function together(c: Patient, group: readonly Patient[] | undefined, { togetherMs }: Settings): boolean {
  return (group ?? []).filter((p) => Math.abs(p.from - c.from) <= togetherMs).length >= SHARED;
}

/** After a storm: calm comes first. */
function cooling(c: Candidate, { now, settings, clusters, calm }: Scene, possible: readonly Brake[]): Brake[] {
  const { storm } = clusters.get(clusterUid(c)) ?? {};
  // One that is still stated as lasting ends at this very moment.
  const own = storm ? [storm.ended ?? now] : [];
  const ended = Math.max(Number.NEGATIVE_INFINITY, ...own, ...possible.flatMap((b) => calm.get(b.message) ?? []));
  return now < ended + settings.coolingMs
    ? [
        {
          reason: 'CoolingDown',
          message: `many machines were sick together a short time ago: ${settings.coolingMs / 60_000} minutes of calm come first`,
        },
      ]
    : [];
}

/** What must not happen at once with something else. */
function turns(c: Candidate, s: Scene, granted: readonly Candidate[]): Brake[] {
  const facts = s.clusters.get(clusterUid(c));
  const out: Brake[] = [];
  const open: Candidate[] = [
    ...s.sick.flatMap((p) => (p.open && p.key !== c.key ? [{ ...p, action: p.open }] : [])),
    ...granted,
  ];
  const here = open.filter((p) => clusterUid(p) === clusterUid(c));
  // Whether control-plane machines may go beside each other is for the quorum to say, below: a leaving one may wait for this very one.
  const isOtherLeaving =
    facts?.leaving.has('worker') || (c.machine.spec.role === 'worker' && facts?.leaving.has('control-plane'));
  if (facts?.isRolling && (here.length > 0 || (c.action === 'Replace' && isOtherLeaving)))
    out.push({
      reason: 'UpgradeInProgress',
      message: `machines of cluster ${facts.name} are being replaced: one thing at a time`,
    });
  if (c.machine.spec.role === 'control-plane' && facts) {
    const joined = c.machine.status?.bootstrap?.joinedAt !== undefined;
    const no = mayTouch(facts.quorum, { key: c.key, joined, action: c.action });
    if (no) out.push(no);
    else if (here.some((p) => p.machine.spec.role === 'control-plane'))
      out.push({
        reason: 'ControlPlaneOneAtATime',
        message: 'another control-plane machine of the cluster is being rebooted or replaced',
      });
  }
  // Whoever serves, be it badly, is taken away by a reboot too.
  const disturbs = (p: Candidate): boolean => p.action === 'Replace' || p.machine.status?.health?.ready === true;
  if (disturbs(c)) {
    if (here.filter(disturbs).length >= disturbedAtOnce(s.count(GROUP.cluster(c.machine))))
      out.push({
        reason: 'OrdersOfCluster',
        message:
          'as many machines of the cluster as may be are being replaced or rebooted: one, and one more for each ten machines',
      });
    else if (open.filter(disturbs).length >= Math.min(REGION_MAX, disturbedAtOnce(s.count(GROUP.region(c.machine)))))
      out.push({
        reason: 'OrdersOfRegion',
        message: `as many machines of region ${c.machine.spec.region} as may be are being replaced or rebooted: one, and one more for each ten machines, ${REGION_MAX} at most`,
      });
  }
  return out;
}
