import type { z } from 'zod';
import type { KindDefinition } from './kind.ts';
import { AddonBundleKind, AddonKind } from './kinds/addon.ts';
import { ClusterKind } from './kinds/cluster.ts';
import { ClusterTemplateKind } from './kinds/cluster-template.ts';
import { KubernetesReleaseKind } from './kinds/kubernetes-release.ts';
import { MachineKind } from './kinds/machine.ts';
import { RegionKind } from './kinds/region.ts';
import { TenantKind } from './kinds/tenant.ts';

/** Every kind of Shoto, in the order in which its CRDs are made. */
export const KINDS: KindDefinition<z.ZodType, z.ZodType>[] = [
  RegionKind,
  KubernetesReleaseKind,
  ClusterTemplateKind,
  TenantKind,
  ClusterKind,
  MachineKind,
  AddonBundleKind,
  AddonKind,
] as unknown as KindDefinition<z.ZodType, z.ZodType>[];
