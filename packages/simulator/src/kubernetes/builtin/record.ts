/**
 * Records from a real kube-apiserver what every simulated one serves unchanged: discovery, printer columns, the default RBAC policy, priority classes and
 * flow control. Run by hand when the Kubernetes version moves: `node record.ts https://127.0.0.1:6443 <admin token>` against a freshly started server
 * whose certificate Node trusts (NODE_EXTRA_CA_CERTS). Writes `generated/*.json`.
 */
import { writeFileSync } from 'node:fs';

type Json = Record<string, unknown>;
interface RecordedObject {
  metadata: { name: string; namespace?: string; labels?: Json; annotations?: Json };
  [field: string]: unknown;
}
interface DiscoveredResource {
  resource: string;
  responseKind: { group: string; version: string; kind: string };
  scope: string;
  verbs: string[];
  [field: string]: unknown;
}

const [server, token] = process.argv.slice(2);
if (!server || !token) throw new Error('usage: node record.ts <server URL> <admin token>');

const fetchJson = async (path: string, accept = 'application/json'): Promise<Json> => {
  const answer = await fetch(`${server}${path}`, { headers: { authorization: `Bearer ${token}`, accept } });
  if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Json;
};
const save = (name: string, lines: unknown[]): void =>
  writeFileSync(
    new URL(`generated/${name}.json`, import.meta.url),
    `[\n${lines.map((l) => JSON.stringify(l)).join(',\n')}\n]\n`,
  );

/** The object as it would be posted: no server-made metadata, no status but what bootstrapping set. */
const asPosted = (kind: string, apiVersion: string, o: RecordedObject): Json => {
  const { metadata, ...rest } = o;
  const kept: Json = { name: metadata.name };
  if (metadata.namespace) kept.namespace = metadata.namespace;
  if (metadata.labels) kept.labels = metadata.labels;
  if (metadata.annotations) kept.annotations = metadata.annotations;
  return { ...rest, apiVersion, kind, metadata: kept };
};

const discovery = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const groups: Json[] = [];
for (const root of ['/api', '/apis']) {
  for (const group of (await fetchJson(root, discovery)).items as {
    metadata: { name?: string };
    versions: { version: string; resources: DiscoveredResource[] }[];
  }[]) {
    const name = group.metadata.name ?? '';
    const versions: Json[] = [];
    for (const { version, resources } of group.versions) {
      const withColumns: Json[] = [];
      for (const r of resources) {
        const path = `${name === '' ? '/api' : `/apis/${name}`}/${version}/${r.resource}`;
        const table = r.verbs.includes('list')
          ? await fetchJson(path, 'application/json;as=Table;v=v1;g=meta.k8s.io')
          : {};
        withColumns.push({ ...r, columns: table.columnDefinitions });
      }
      versions.push({ version, resources: withColumns });
    }
    groups.push({ group: name, versions });
  }
}
save('groups', groups);

const policy: Json[] = [];
for (const [plural, kind, group] of [
  ['clusterroles', 'ClusterRole', 'rbac.authorization.k8s.io/v1'],
  ['clusterrolebindings', 'ClusterRoleBinding', 'rbac.authorization.k8s.io/v1'],
  ['roles', 'Role', 'rbac.authorization.k8s.io/v1'],
  ['rolebindings', 'RoleBinding', 'rbac.authorization.k8s.io/v1'],
  ['priorityclasses', 'PriorityClass', 'scheduling.k8s.io/v1'],
  ['flowschemas', 'FlowSchema', 'flowcontrol.apiserver.k8s.io/v1'],
  ['prioritylevelconfigurations', 'PriorityLevelConfiguration', 'flowcontrol.apiserver.k8s.io/v1'],
] as const) {
  for (const o of (await fetchJson(`/apis/${group}/${plural}`)).items as RecordedObject[])
    policy.push(asPosted(kind, group, o));
}
save('objects', policy);
