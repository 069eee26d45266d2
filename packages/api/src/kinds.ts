import type { z } from 'zod';
import type { KindDefinition } from './kind.ts';
import { AddonKind } from './kinds/addon.ts';
import { AddonBundleKind } from './kinds/addon-bundle.ts';
import { AddonRegistryKind } from './kinds/addon-registry.ts';
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
  AddonRegistryKind,
] as unknown as KindDefinition<z.ZodType, z.ZodType>[];
