import { expect, it } from 'vitest';
import { crdRules } from './crd-rights.ts';

const items = (...names: string[]) => ({
  items: names.map((name) => ({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', name })),
});
const given = (...inventories: ReturnType<typeof items>[]) =>
  crdRules(inventories).map((r) => [r.apiGroups, r.resources]);

it('rights on custom objects are for the kinds that the addons of a cluster define, each once', () => {
  expect(given(items('b.team.example', 'a.team.example'), items('x.other.dev', 'a.team.example'))).toEqual([
    [['other.dev'], ['x']],
    [['team.example'], ['a', 'b']],
  ]);
  expect(crdRules([items('a.team.example')])[0]?.verbs).not.toContain('*');
});

it('no definition gives rights in a group of Kubernetes itself, and nothing but a definition gives any', () => {
  expect(given(items('certificatesigningrequests.certificates.k8s.io', 'nodes', 'a.snapshot.storage.k8s.io'))).toEqual([
    [['snapshot.storage.k8s.io'], ['a']],
  ]);
  expect(crdRules([{ items: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'a.team.example' }] }])).toEqual([]);
});
