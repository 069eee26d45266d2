import type { z } from 'zod';
import { celOf, type KindDefinition } from './kind.ts';
import { GROUP, VERSION } from './meta.ts';
import { structural } from './structural.ts';

/** The CustomResourceDefinition (apiextensions.k8s.io/v1) of a kind, as it stands in `crds/`. */
export function crdOf(k: KindDefinition<z.ZodType, z.ZodType>): Record<string, unknown> {
  const rules = celOf(k.rules);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${k.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: k.namespaced ? 'Namespaced' : 'Cluster',
      names: {
        kind: k.kind,
        listKind: `${k.kind}List`,
        plural: k.plural,
        singular: k.singular,
        shortNames: k.shortNames,
        categories: ['shoto'],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: k.columns,
          schema: {
            openAPIV3Schema: {
              description: k.description,
              type: 'object',
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string', description: 'Version of the schema of this object.' },
                kind: { type: 'string', description: 'Kind of this object.' },
                // The name is declared so that rules may blame it.
                metadata: { type: 'object', properties: { name: { type: 'string' } } },
                spec: { description: 'What is wanted.', ...structural(k.spec) },
                status: { description: 'What is seen, one map for each service.', ...structural(k.status) },
              },
              ...(rules.length > 0 ? { 'x-kubernetes-validations': rules } : {}),
            },
          },
        },
      ],
    },
  };
}
