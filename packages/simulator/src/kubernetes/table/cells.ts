import { clusterCells } from './cells-cluster.ts';
import { podCells } from './cells-pods.ts';
import { workloadCells } from './cells-workloads.ts';
import type { Cells } from './format.ts';

/** Rows of builtin kinds by table name; kinds not listed show name and age. */
export const cells: Record<string, Cells> = { ...clusterCells, ...podCells, ...workloadCells };
