import { readdir, readFile } from 'node:fs/promises';

/** A kind that a Kubernetes minor serves by default. */
export interface ServedKind {
  apiVersion: string;
  kind: string;
  namespaced: boolean;
  /** What the API server says to who uses it. */
  deprecated?: string;
  /** Name of its definition. */
  definition?: string;
}

/** Fields of a type. Types: `s` string, `i` integer, `n` number, `b` boolean, `*` anything, `#name`, `[]type`, `{}type`. */
export interface Definition {
  required?: string[];
  fields: Record<string, string>;
}

/** What a Kubernetes minor serves, as a real kube-apiserver told. */
export interface KubernetesData {
  /** `v1.35.4` */
  version: string;
  kinds: ServedKind[];
  definitions: Record<string, Definition>;
}

const FOLDER = new URL('../../data/', import.meta.url);
let known: Promise<KubernetesData[]> | undefined;

/** All minors that are known here, oldest first. */
export function kubernetesData(): Promise<KubernetesData[]> {
  known ??= readdir(FOLDER).then(async (names) => {
    const files = names.filter((n) => /^kubernetes-1\.\d+\.json$/.test(n));
    const all = await Promise.all(
      files.map(async (n) => JSON.parse(await readFile(new URL(n, FOLDER), 'utf8')) as KubernetesData),
    );
    return all.sort((a, b) => minorOf(a) - minorOf(b));
  });
  return known;
}

/** The number of its minor: 35. */
export const minorOf = (data: KubernetesData): number => Number(data.version.split('.')[1]);
