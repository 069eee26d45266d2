import type { Machine } from '@shoto/api';
import { nodeLabels } from '../kubeadm/node.ts';
import type { Node, NodeTaint } from './node.ts';

/** On a Node: which labels and taints are there because its Machine asks for them, so that they can be taken away again. */
export const MANAGED = 'shoto.dev/managed-node-fields';

interface Managed {
  /** Keys. */
  labels: string[];
  /** `key:effect`. */
  taints: string[];
}

const idOf = (t: Pick<NodeTaint, 'key' | 'effect'>): string => `${t.key}:${t.effect}`;
const strings = (v: unknown): string[] => (Array.isArray(v) ? v.filter((x) => typeof x === 'string') : []);

/** What the annotation says. One that cannot be read says nothing: better a label too many than one of somebody else's taken away. */
function managedOf(text: string | undefined): Managed {
  try {
    const { labels, taints } = JSON.parse(text ?? '{}') as Partial<Managed>;
    return { labels: strings(labels), taints: strings(taints) };
  } catch {
    return { labels: [], taints: [] };
  }
}

/** The annotation as it shall be; undefined where the Machine asks for nothing. */
function wantedText({ spec }: Machine): string | undefined {
  const labels = Object.keys(spec.labels ?? {}).sort();
  const taints = (spec.taints ?? []).map(idOf).sort();
  return labels.length + taints.length === 0 ? undefined : JSON.stringify({ labels, taints } satisfies Managed);
}

/** Whether a Node has what its Machine asks for, as far as its metadata tell (a taint's value is not among them). */
export function isInStep(node: Pick<Node, 'metadata'>, machine: Machine): boolean {
  const { annotations, labels } = node.metadata;
  return (
    annotations?.[MANAGED] === wantedText(machine) &&
    Object.entries(machine.spec.labels ?? {}).every(([k, v]) => labels?.[k] === v)
  );
}

/**
 * What has to be written to a Node so that it has the labels and taints of its Machine. What we once set and nobody asks for any more goes; what
 * others set stays. Undefined where nothing is to be written: so a machine without labels and taints costs no write.
 */
export function nodeFieldsPatch(node: Node, machine: Machine): object | undefined {
  const before = managedOf(node.metadata.annotations?.[MANAGED]);
  const wanted = machine.spec.labels ?? {};
  const ownLabels = nodeLabels(machine); // what a label was before the owner asked for another
  const labels: Record<string, string | null> = {};
  for (const [k, v] of Object.entries(wanted)) if (node.metadata.labels?.[k] !== v) labels[k] = v;
  for (const k of before.labels) {
    if (k in wanted || node.metadata.labels?.[k] === undefined) continue;
    const own = ownLabels[k] ?? null;
    if (node.metadata.labels[k] !== own) labels[k] = own;
  }

  const asked = machine.spec.taints ?? [];
  const askedIds = new Set(asked.map(idOf));
  const has = node.spec?.taints ?? [];
  const taints = [...has.filter((t) => !askedIds.has(idOf(t)) && !before.taints.includes(idOf(t))), ...asked];
  const isSame = (a: NodeTaint, b: NodeTaint): boolean => idOf(a) === idOf(b) && (a.value ?? '') === (b.value ?? '');
  const taintsChange = taints.length !== has.length || !has.every((t) => taints.some((x) => isSame(x, t)));

  const text = wantedText(machine);
  const textChanges = text !== node.metadata.annotations?.[MANAGED];
  if (Object.keys(labels).length === 0 && !taintsChange && !textChanges) return undefined;
  const { resourceVersion } = node.metadata;
  return {
    metadata: {
      // A list is replaced as a whole, so it must be the one that was read.
      ...(taintsChange && resourceVersion ? { resourceVersion } : {}),
      ...(Object.keys(labels).length > 0 ? { labels } : {}),
      ...(textChanges ? { annotations: { [MANAGED]: text ?? null } } : {}),
    },
    ...(taintsChange ? { spec: { taints: taints.length > 0 ? taints : null } } : {}),
  };
}

/** Whether a Node lacks a taint of its Machine that would end pods: under the emergency stop it has to wait. */
export const endsPods = (node: Node, machine: Machine): boolean =>
  (machine.spec.taints ?? []).some(
    (t) => t.effect === 'NoExecute' && !node.spec?.taints?.some((x) => idOf(x) === idOf(t)),
  );
