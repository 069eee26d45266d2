/**
 * What a Kubernetes minor serves by default, as `shoto addon lint` needs it: `node e2e/lab/kubernetes-data.ts 1.35 [1.36 ...]` asks a real
 * kube-apiserver of the version that the lab pins and writes `packages/bundle/data/kubernetes-<minor>.json`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type ManagementCluster, startManagementCluster } from './management-cluster.ts';

interface Answer {
  body: string;
  warning: string | undefined;
}

function ask(cluster: ManagementCluster, token: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
    request(`${cluster.server}${path}`, { ca: cluster.ca, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (c: Buffer) => chunks.push(c));
      answer.on('end', () => {
        if (answer.statusCode !== 200) return reject(new Error(`${path}: ${answer.statusCode}`));
        resolve({ body: Buffer.concat(chunks).toString(), warning: answer.headers.warning });
      });
    })
      .on('error', reject)
      .end();
  });
}

interface Resource {
  name: string;
  kind: string;
  namespaced: boolean;
  verbs: string[];
}
interface Schema {
  type?: string;
  $ref?: string;
  allOf?: Schema[];
  oneOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  required?: string[];
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[];
}

const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1);

/** A type in few letters: `s`, `i`, `n`, `b`, `*` (anything), `#name`, `[]type`, `{}type`. */
function typeOf(s: Schema, all: Record<string, Schema>): string {
  const ref = s.$ref ?? (s.allOf?.length === 1 ? s.allOf[0]?.$ref : undefined);
  if (ref) {
    const target = all[nameOf(ref)];
    // Quantities, times, raw JSON: names for simple types.
    return target && !target.properties ? typeOf(target, all) : `#${nameOf(ref)}`;
  }
  if (s.type === 'array') return `[]${typeOf(s.items ?? {}, all)}`;
  if (typeof s.additionalProperties === 'object') return `{}${typeOf(s.additionalProperties, all)}`;
  return { string: 's', integer: 'i', number: 'n', boolean: 'b' }[s.type ?? ''] ?? '*';
}

async function record(minor: string, version: string): Promise<void> {
  const cluster = await startManagementCluster({ version });
  try {
    const config = parse(cluster.kubeconfig()) as { users: { user: { token: string } }[] };
    const token = config.users[0]!.user.token;
    const get = async <T>(path: string): Promise<T> => JSON.parse((await ask(cluster, token, path)).body) as T;
    const groups = (await get<{ groups: { versions: { groupVersion: string }[] }[] }>('/apis')).groups;
    const versions = ['v1', ...groups.flatMap((g) => g.versions.map((v) => v.groupVersion))];
    const kinds: string[] = [];
    const schemas: Record<string, Schema> = {};
    for (const apiVersion of versions) {
      const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
      const { resources } = await get<{ resources: Resource[] }>(root);
      const document = await get<{ components: { schemas: Record<string, Schema> } }>(`/openapi/v3${root}`);
      Object.assign(schemas, document.components.schemas);
      for (const r of resources.filter((x) => !x.name.includes('/'))) {
        const listed = r.verbs.includes('list') ? await ask(cluster, token, `${root}/${r.name}?limit=1`) : undefined;
        const deprecated = /^299 - "(.*)"$/.exec(listed?.warning ?? '')?.[1];
        const definition = Object.entries(document.components.schemas).find(([, s]) =>
          s['x-kubernetes-group-version-kind']?.some(
            (k) => k.kind === r.kind && (k.group === '' ? k.version : `${k.group}/${k.version}`) === apiVersion,
          ),
        )?.[0];
        kinds.push(
          JSON.stringify({
            apiVersion,
            kind: r.kind,
            namespaced: r.namespaced,
            ...(deprecated ? { deprecated } : {}),
            ...(definition ? { definition } : {}),
          }),
        );
      }
    }
    // Only what an object can hold is kept: no lists, options and reviews of what the server says.
    const wanted = kinds
      .map((k) => (JSON.parse(k) as { definition?: string }).definition)
      .filter((d) => d !== undefined);
    const lines = new Map<string, string>();
    while (wanted.length > 0) {
      const name = wanted.pop()!;
      const schema = schemas[name];
      if (lines.has(name) || !schema?.properties) continue;
      const fields = Object.fromEntries(
        Object.entries(schema.properties).map(([field, s]) => [field, typeOf(s, schemas)]),
      );
      for (const type of Object.values(fields)) {
        const ref = /#(.*)$/.exec(type)?.[1];
        if (ref) wanted.push(ref);
      }
      const required = schema.required ?? [];
      lines.set(name, JSON.stringify({ ...(required.length > 0 ? { required } : {}), fields }));
    }
    const definitions = [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([n, l]) => `${JSON.stringify(n)}:${l}`);
    const file = join(import.meta.dirname, `../../packages/bundle/data/kubernetes-${minor}.json`);
    writeFileSync(
      file,
      `{"version":"${version}",\n"kinds":[\n${kinds.join(',\n')}\n],\n"definitions":{\n${definitions.join(',\n')}\n}}\n`,
    );
    console.log(
      `${file}: ${kinds.length} kinds, ${definitions.length} definitions, ${readFileSync(file).length} bytes`,
    );
  } finally {
    await cluster.stop();
  }
}

const pinned = readFileSync(join(import.meta.dirname, 'kubernetes/versions.sh'), 'utf8');
for (const minor of process.argv.slice(2)) {
  const version = new RegExp(`\\[${minor.replace('.', '\\.')}\\]=(v[\\d.]+)`).exec(pinned)?.[1];
  if (!version) throw new Error(`no version of ${minor} is pinned in kubernetes/versions.sh`);
  await record(minor, version);
}
