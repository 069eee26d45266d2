import { podsTalk } from './pods.ts';
import type { Variant } from './scene.ts';
import { userDataIsClean } from './user-data.ts';

/** What a team gets that asks for nothing special: 1 control plane, 2 workers, the API behind a load balancer. */
export const standard: Variant = {
  title: '1 control plane and 2 workers behind a load balancer',
  args: [],
  nodes: 3,
  look: async (scene) => {
    await podsTalk(
      scene,
      scene.nodes.filter((n) => n.includes('default')),
    );
    await userDataIsClean(scene);
  },
};
