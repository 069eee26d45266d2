import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  type BundleContent,
  chooseBundle,
  helmTemplate,
  identityOf,
  type JsonObject,
  kubernetesData,
  lint,
  type Manifest,
  planAddons,
  type Rendered,
  render,
  resolveValues,
  sampleFacts,
  valuesSchemaOf,
} from '../src/index.ts';
import { hasHelm, isChart, shipped, versionsOf, WALK } from './shipped.ts';

const addons = await shipped();
const all = [...addons.values()].flat();
const titleOf = (b: BundleContent) => `${b.manifest.name} ${b.manifest.version}`;
/** Bundles that can be rendered here: all, but charts where there is no helm. */
const renderable = all.filter((b) => hasHelm || !isChart(b));
const helm = helmTemplate();
const facts = (b: BundleContent, caBundle = '') => {
  const sample = sampleFacts(b.manifest.credentials) as JsonObject & { openstack?: JsonObject };
  return sample.openstack ? { ...sample, openstack: { ...sample.openstack, caBundle } } : sample;
};
const rendered = (b: BundleContent, version: string, values: JsonObject = {}, ca?: string): Promise<Rendered> =>
  render(b, { facts: facts(b, ca), values, kubernetesVersion: version }, { helm });

/** Containers of a workload, those that run first too. */
function containersOf(o: Manifest): { name: string; image: string }[] {
  const spec = (o as { spec?: { template?: { spec?: { containers?: []; initContainers?: [] } } } }).spec?.template
    ?.spec;
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
}

describe('every bundle that ships', () => {
  it.each(all.map((b) => [titleOf(b), b] as const))('%s says what it is and where it comes from', (_title, b) => {
    const { description, home, license, source, health } = b.manifest;
    expect([description, home, license, source]).not.toContain(undefined);
    expect(health.checks.length).toBeGreaterThan(0);
    expect([...b.files.keys()]).toContain('README.md');
  });

  it.each(all.map((b) => [titleOf(b), b] as const))(
    '%s has few values, each with a default and a word',
    (_title, b) => {
      const schema = valuesSchemaOf(b)?.schema as { properties: Record<string, { description?: string }> };
      expect(Object.keys(schema.properties).length).toBeLessThanOrEqual(10);
      for (const [name, property] of Object.entries(schema.properties))
        expect(property.description, name).toMatch(/\w.*\.$/);
      // A chart has values of its own besides.
      expect(Object.keys(resolveValues(b, {}))).toEqual(expect.arrayContaining(Object.keys(schema.properties)));
    },
  );

  it.each(renderable.map((b) => [titleOf(b), b] as const))(
    '%s is the same twice, for each minor of its range',
    async (_title, b) => {
      expect(versionsOf(b).length).toBeGreaterThan(0);
      for (const version of versionsOf(b)) {
        const once = await rendered(b, version);
        expect(once.objects.length).toBeGreaterThan(0);
        expect(await rendered(b, version)).toEqual(once);
        // What is left in braces is for Prometheus and Grafana.
        expect(JSON.stringify(once.objects)).not.toMatch(/\{\{\s*(facts|values)\./);
      }
    },
  );

  it.each(renderable.map((b) => [titleOf(b), b] as const))('%s names every image that it runs', async (_title, b) => {
    const { objects } = await rendered(b, versionsOf(b)[0]!);
    const listed = b.manifest.images.map(
      ({ name, tag }) => `${name.replace('{{facts.imageRepository}}', sampleFacts().imageRepository as string)}:${tag}`,
    );
    const run = objects.flatMap(containersOf).map((c) => c.image.replace(/@sha256:.*/, ''));
    expect(run.filter((image) => !listed.includes(image))).toEqual([]);
  });

  it.each(renderable.map((b) => [titleOf(b), b] as const))(
    '%s has nothing that lint calls an error',
    async (_title, b) => {
      const versions = addons.get(b.manifest.name)!;
      const before = versions[versions.indexOf(b) - 1];
      const found = await lint(b, { kubernetes: await kubernetesData(), against: before, helm });
      expect(found.filter((f) => f.severity === 'error')).toEqual([]);
    },
  );

  it('checks what is there: health checks, patches and depended-on addons exist', async () => {
    for (const b of renderable) {
      const { objects } = await rendered(b, versionsOf(b)[0]!);
      for (const c of b.manifest.health.checks)
        expect(
          objects.find((o) => o.kind === c.kind && o.metadata.name === c.name),
          `${titleOf(b)} ${c.name}`,
        ).toBeDefined();
      for (const d of b.manifest.dependsOn) expect([...addons.keys()]).toContain(d.name);
    }
  });
});

describe('values', () => {
  const of = (name: string) => addons.get(name)!.at(-1)!;
  const find = (r: Rendered, kind: string, name: string) =>
    r.objects.find((o) => o.kind === kind && o.metadata.name === name);

  it('keep samples of Prometheus on a volume where that is asked for', async () => {
    const claim = { kind: 'PersistentVolumeClaim', name: 'prometheus-data' };
    expect(find(await rendered(of('prometheus'), WALK[2]), claim.kind, claim.name)).toBeUndefined();
    const r = await rendered(of('prometheus'), WALK[2], {
      persistent: true,
      storageClass: 'fast',
      alertmanager: 'am:9093',
    });
    expect(find(r, claim.kind, claim.name)).toMatchObject({ spec: { storageClassName: 'fast' } });
    expect(find(r, 'StatefulSet', 'prometheus')).toMatchObject({
      spec: {
        template: {
          spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'prometheus-data' } }, {}, {}, {}] },
        },
      },
    });
    expect(find(r, 'ConfigMap', 'prometheus')).toMatchObject({
      data: { 'alertmanagers.json': '[{"targets": ["am:9093"]}]' },
    });
  });

  it("give the cloud's own CA to what speaks to it", async () => {
    const r = await rendered(of('openstack-cloud-controller-manager'), WALK[1], {}, 'PEM');
    const secret = find(r, 'Secret', 'openstack-cloud-config') as unknown as { stringData: Record<string, string> };
    expect(secret.stringData['ca.crt']).toBe('PEM');
    expect(secret.stringData['cloud.conf']).toContain('ca-file = /etc/config/ca.crt');
    const csi = find(await rendered(of('cinder-csi'), WALK[1], {}, 'PEM'), 'Secret', 'csi-cinder-cloud-config');
    expect(csi).toMatchObject({
      stringData: { 'ca.crt': 'PEM', 'tls.conf': '[Global]\nca-file = /etc/config/ca.crt\n' },
    });
  });

  it('make an administrator of Grafana only where a Secret is named', async () => {
    const envOf = async (values: JsonObject) =>
      JSON.stringify(find(await rendered(of('grafana'), WALK[2], values), 'Deployment', 'grafana'));
    expect(await envOf({})).toContain('{"name":"GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION","value":"true"}');
    const named = await envOf({ adminSecret: 'boss' });
    expect(named).toContain('{"name":"GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION","value":"false"}');
    expect(named).toContain('{"name":"boss","key":"admin-password"}');
  });

  it('serve Ingresses of class nginx where that is asked for', async () => {
    expect(find(await rendered(of('traefik'), WALK[2]), 'IngressClass', 'nginx')).toBeUndefined();
    const r = await rendered(of('traefik'), WALK[2], { nginxAnnotations: true, sourceRanges: ['10.0.0.0/8'] });
    expect(find(r, 'IngressClass', 'nginx')).toMatchObject({ spec: { controller: 'k8s.io/ingress-nginx' } });
    expect(find(r, 'Service', 'traefik')).toMatchObject({ spec: { loadBalancerSourceRanges: ['10.0.0.0/8'] } });
  });

  it('make a StorageClass of an NFS server that is named', async () => {
    expect(find(await rendered(of('csi-driver-nfs'), WALK[2]), 'StorageClass', 'nfs')).toBeUndefined();
    expect(
      find(
        await rendered(of('csi-driver-nfs'), WALK[2], { server: '10.0.0.9', share: '/teams' }),
        'StorageClass',
        'nfs',
      ),
    ).toMatchObject({
      parameters: { server: '10.0.0.9', share: '/teams' },
    });
  });
});

describe('an update is in place', () => {
  const pairs = [...addons.values()].flatMap((versions) =>
    versions
      .slice(1)
      .map((now, i) => [`${titleOf(versions[i]!)} to ${now.manifest.version}`, versions[i]!, now] as const),
  );
  it.each(pairs.filter(([, b]) => renderable.includes(b)))(
    'from %s: objects, selectors and labels of pods stay',
    async (_title, before, now) => {
      const old = await rendered(before, versionsOf(before).at(-1)!);
      const fresh = new Map((await rendered(now, versionsOf(now)[0]!)).objects.map((o) => [identityOf(o), o]));
      const immutable = (o: Manifest) => {
        const spec = (o as { spec?: JsonObject & { template?: { metadata?: { labels?: JsonObject } } } }).spec;
        return o.kind === 'StatefulSet'
          ? [spec?.selector, spec?.serviceName, spec?.volumeClaimTemplates]
          : [spec?.selector, isChart(now) ? undefined : spec?.template?.metadata?.labels];
      };
      for (const o of old.objects) {
        const same = fresh.get(identityOf(o));
        // A role that is not needed any more may go; what runs, and what others name, may not.
        if (!same) {
          expect(['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding', 'ConfigMap'], identityOf(o)).toContain(
            o.kind,
          );
          continue;
        }
        if (['Deployment', 'DaemonSet', 'StatefulSet'].includes(o.kind))
          expect(immutable(same), identityOf(o)).toEqual(immutable(o));
        if (o.kind === 'StorageClass' || o.kind === 'VolumeSnapshotClass')
          expect(isDeepStrictEqual(same, o), identityOf(o)).toBe(true);
      }
    },
  );
});

describe('the walk from 1.35 to 1.37', () => {
  const bundles = all.map(({ manifest: m }) => ({
    spec: {
      addon: m.name,
      version: m.version,
      channel: m.channel,
      kubernetes: m.kubernetes,
      dependsOn: m.dependsOn,
      provides: m.provides,
    },
    metadata: { name: `${m.name}-${m.version}` },
  }));

  it.each([...addons.keys()])('%s ships in two versions at least, for two ranges', (addon) => {
    const ranges = new Set(addons.get(addon)!.map((b) => b.manifest.kubernetes));
    expect(addons.get(addon)!.length).toBeGreaterThanOrEqual(2);
    expect(ranges.size).toBeGreaterThanOrEqual(2);
  });

  it.each([...addons.keys()])('%s always has a bundle that fits both sides of a step', (addon) => {
    for (const [i, version] of WALK.entries()) {
      const next = WALK[i + 1];
      const chosen = chooseBundle(bundles, { name: addon }, next ? [version, next] : [version]);
      expect(chosen, `${addon} at ${version}`).toBeDefined();
    }
  });

  it('takes what follows Kubernetes along, one minor after the other', () => {
    const at = (versions: string[]) => chooseBundle(bundles, { name: 'cinder-csi' }, versions)?.spec.version;
    expect(at(['v1.35.4', 'v1.36.3'])).toBe('1.35.0');
    expect(at(['v1.36.3'])).toBe('1.36.0');
    expect(at(['v1.36.3', 'v1.37.0'])).toBe('1.36.0');
  });

  it('is open to a cluster that has them all, with one CNI', () => {
    const wanted = [...addons.keys()].filter((name) => name !== 'cilium').map((name) => ({ name }));
    const applied: Record<string, string> = {};
    for (const [i, current] of WALK.entries()) {
      const plan = planAddons({ wanted, bundles, applied, current, next: WALK[i + 1], offered: WALK });
      expect(plan.blocked).toEqual([]);
      expect(plan.addons.map((a) => a.action)).not.toContain('downgrade');
      for (const a of plan.addons) applied[a.name] = a.bundle!.spec.version;
      if (i === 0) expect(plan.waves[0]).not.toContain('grafana');
    }
    expect(applied).toMatchObject({ flannel: '0.28.10', 'cinder-csi': '1.36.0', 'metrics-server': '0.9.0' });
  });
});
