import type { ChangePlan } from '@shoto/api';
import { table } from './table.ts';

const indent = (text: string): string => text.replace(/^(?=.)/gm, '  ');

/** A plan in words: its steps with each machine and why, what is in the way with what to do, notes. */
export function planText(cluster: string, p: ChangePlan): string {
  const actions = p.steps.reduce((n, s) => n + s.actions.length, 0);
  const way = p.from === p.to ? `stays on ${p.to}` : `${p.from} to ${p.to}`;
  const head =
    p.steps.length === 0
      ? `cluster/${cluster} ${way}: no machine is touched`
      : `cluster/${cluster} ${way}: ${p.steps.length} step${p.steps.length === 1 ? '' : 's'}, ${actions} action${actions === 1 ? '' : 's'}`;
  const steps = p.steps.flatMap((s, i) => {
    const rows = s.actions.map((a, n) => [
      String(n + 1),
      a.action,
      a.pool,
      a.machine ?? a.addon ?? (a.action === 'create' ? 'a new machine' : '-'),
      a.zone ?? '-',
      a.because.join('; ') || '-',
    ]);
    return [
      '',
      `Step ${i + 1}: ${s.release}`,
      indent(rows.length > 0 ? table(['', 'ACTION', 'POOL', 'MACHINE', 'ZONE', 'BECAUSE'], rows) : 'not known'),
    ];
  });
  const blockers = p.blockers.map((b) => `${b.reason}${b.field ? ` (${b.field})` : ''}: ${b.message}`);
  return [
    head,
    ...steps,
    ...(blockers.length > 0 ? ['', 'In the way:', indent(blockers.join('\n'))] : []),
    ...(p.notes.length > 0 ? ['', 'Notes:', indent(p.notes.join('\n'))] : []),
  ].join('\n');
}
