import { z } from 'zod';
import { defineKind, type ObjectOf } from '../kind.ts';
import { conditions, dnsLabel, revision, time } from '../meta.ts';

const bundleName = () => z.string().max(253);
const digest = () => z.string().max(71);
/** `Deployment kube-system/metrics-server`, in a line. */
const objectInWords = () => z.string().max(400);

export const AddonSpec = z.object({
  clusterName: dnsLabel().describe('Name of the Cluster, in the same namespace.'),
  addon: dnsLabel(40).describe('Name of the addon.'),
  version: z.string().max(64).optional().describe('Version to stay on; the newest that fits where absent.'),
});
export const AddonStatus = z
  .object({
    manager: z
      .object({
        revision: revision(),
        bundle: bundleName().optional().describe('AddonBundle that is applied.'),
        version: z.string().max(64).optional().describe('Its version.'),
        digest: digest().optional().describe('Digest of what is applied, with the values of the cluster filled in.'),
        appliedAt: time().optional().describe('When it was applied.'),
        lastGood: z
          .object({
            bundle: bundleName().describe('AddonBundle.'),
            digest: digest().describe('Digest of what was applied.'),
          })
          .optional()
          .describe('What was healthy last: an update that fails goes back to it.'),
        failed: z
          .object({
            bundle: bundleName().describe('AddonBundle that failed.'),
            input: digest().optional().describe('Digest of what it was made from: bundle, version, facts and values.'),
            reason: z.string().max(128).describe('Why, in CamelCase, for programs.'),
            message: z.string().max(1024).describe('Why, in one line, for people.'),
            at: time().describe('When it was given up.'),
            retry: z
              .string()
              .max(256)
              .optional()
              .describe('Value of the annotation shoto.dev/retry at that time: another one lets it be tried again.'),
          })
          .optional()
          .describe('The update that did not become healthy in time; it is not tried again as it is.'),
        drift: z
          .array(
            z.object({
              object: objectInWords().describe('Kind, namespace and name of the object.'),
              paths: z.array(z.string().max(256)).max(16).describe('Fields that differ, as JSON pointers.'),
              at: time().describe('When it was seen first.'),
            }),
          )
          .max(16)
          .optional()
          .describe('What somebody else changed and is not put right.')
          .meta({ listType: 'atomic' }),
        conflicts: z
          .array(
            z.object({
              object: objectInWords().describe('Kind, namespace and name of the object.'),
              manager: z.string().max(128).describe('Field manager that holds the fields.'),
              paths: z.array(z.string().max(256)).max(16).describe('The fields.'),
              at: time().describe('When it was seen first.'),
            }),
          )
          .max(16)
          .optional()
          .describe('Fields that somebody else took back after they were put right: they are left to them.')
          .meta({ listType: 'atomic' }),
        conditions: conditions('of the addon: Applied, Healthy, UpToDate, Drifted'),
      })
      .prefault({})
      .describe("The addon-manager's map."),
  })
  .prefault({});
export type AddonSpec = z.output<typeof AddonSpec>;
export type AddonStatus = z.output<typeof AddonStatus>;
/** An addon on a cluster. */
export type Addon = ObjectOf<AddonSpec, AddonStatus>;

export const AddonKind = defineKind({
  kind: 'Addon',
  plural: 'addons',
  singular: 'addon',
  shortNames: ['ad'],
  namespaced: true,
  description: 'An addon on a cluster: what is applied, and its health.',
  spec: AddonSpec,
  status: AddonStatus,
  columns: [
    { name: 'Cluster', type: 'string', jsonPath: '.spec.clusterName', description: 'Its cluster.' },
    { name: 'Addon', type: 'string', jsonPath: '.spec.addon', description: 'Name of the addon.' },
    { name: 'Bundle', type: 'string', jsonPath: '.status.manager.bundle', description: 'What is applied.' },
    {
      name: 'Healthy',
      type: 'string',
      jsonPath: '.status.manager.conditions[?(@.type=="Healthy")].status',
      description: 'Whether its workloads run.',
    },
    {
      name: 'Up to date',
      type: 'string',
      jsonPath: '.status.manager.conditions[?(@.type=="UpToDate")].status',
      description: 'Whether it is the version that is wanted.',
    },
    {
      name: 'Drifted',
      type: 'string',
      jsonPath: '.status.manager.conditions[?(@.type=="Drifted")].status',
      description: 'Whether somebody else changed it.',
      priority: 1,
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since when it exists.' },
    {
      name: 'Message',
      type: 'string',
      jsonPath: '.status.manager.conditions[?(@.type=="UpToDate")].message',
      description: 'Why it is, or is not.',
      priority: 1,
    },
  ],
  rules: [
    {
      cel: 'self.spec.clusterName == oldSelf.spec.clusterName && self.spec.addon == oldSelf.spec.addon',
      message: 'clusterName and addon cannot change: make another Addon',
      fieldPath: '.spec',
      check: (now, before) =>
        !before || (now.spec.clusterName === before.spec.clusterName && now.spec.addon === before.spec.addon),
    },
  ],
});
