import type { Machine } from '@shoto/api';
import type { Memory } from '../memory.ts';
import { CONTROL_PLANE } from './plan-machines.ts';

/** A control-plane machine whose address is known. */
export interface Backend {
  machine: Machine;
  address: string;
  portId: string;
}

/** The control-plane machines that stay and have a port, the oldest first. Their address is known before their server runs. */
export function backendsOf(machines: readonly Machine[], memory: Memory): Backend[] {
  return machines
    .filter((m) => m.spec.pool === CONTROL_PLANE && !m.metadata.deletionTimestamp)
    .flatMap((machine): Backend[] => {
      const port = memory.machine(machine.metadata.uid ?? '').port;
      const server = machine.status?.server;
      const address = port?.address ?? server?.addresses?.[0];
      const portId = port?.id ?? server?.portId;
      return address && portId ? [{ machine, address, portId }] : [];
    })
    .sort((a, b) => {
      const [x, y] = [a, b].map((s) => `${s.machine.metadata.creationTimestamp}/${s.machine.metadata.name}`) as [
        string,
        string,
      ];
      return x < y ? -1 : 1;
    });
}
