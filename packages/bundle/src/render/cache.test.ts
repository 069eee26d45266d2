import { describe, expect, it } from 'vitest';
import { type BundleContent, bundleOf } from '../format/content.ts';
import { RenderCache } from './cache.ts';
import { render } from './render.ts';

const HEAD =
  'apiVersion: bundle.shoto.dev/v1alpha1\nkind: Bundle\nname: agent\nversion: 1.0.0\nkubernetes: ">=1.35"\ncontent: { manifests: m }\n';
const bundle = (manifests: string, more = ''): BundleContent =>
  bundleOf([
    ['bundle.yaml', HEAD + more],
    ['m/a.yaml', manifests],
  ]);
const configMap = (name: string, data: string, when = '') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}${when && `, annotations: { bundle.shoto.dev/when: "${when}" }`} }\ndata: { a: "${data}" }\n`;
/** A cluster whose every fact is its own. */
const cluster = (i: number, values = {}, kubernetesVersion = 'v1.35.4') => ({
  facts: { clusterName: `c${i}`, apiHost: `10.0.0.${i}`, podCIDR: '10.244.0.0/16' },
  values,
  kubernetesVersion,
});

describe('a cache of renders', () => {
  it('gives what a render gives', async () => {
    const b = bundle(configMap('a', '{{facts.apiHost}}'));
    const cached = await new RenderCache().render('sha256:1', b, cluster(1));
    expect(cached).toEqual(await render(b, cluster(1)));
  });

  it('renders once for all clusters whose facts differ only where the bundle does not look', async () => {
    const cache = new RenderCache();
    const b = bundle(configMap('a', '{{facts.podCIDR}}'));
    const all = await Promise.all(Array.from({ length: 200 }, (_, i) => cache.render('sha256:1', b, cluster(i))));
    expect(new Set(all).size).toBe(1);
    expect(cache.stats).toMatchObject({ hits: 199, misses: 1, entries: 1 });
  });

  it.each([
    ['in a fact that a placeholder names', configMap('a', '{{facts.clusterName}}'), '', {}],
    ['in a fact that a condition names', configMap('a', 'b', "facts.clusterName == 'c1'"), '', {}],
    ['in any fact, where a condition looks at all of them', configMap('a', 'b', 'size(facts) > 2'), '', {}],
    [
      'in a fact that a patch names',
      configMap('a', 'b'),
      'patches: [{ target: { kind: ConfigMap }, merge: { data: { x: "{{facts.clusterName}}" } } }]\n',
      {},
    ],
    ['in values', configMap('a', 'b'), '', { a: 1 }],
  ])('renders anew for a cluster that differs %s', async (_what, manifests, more, values) => {
    const cache = new RenderCache();
    const b = bundle(manifests, more);
    await cache.render('sha256:1', b, cluster(1));
    await cache.render('sha256:1', b, cluster(2, values));
    expect(cache.stats).toMatchObject({ hits: 0, misses: 2 });
  });

  it('renders anew for another Kubernetes version, and for another bundle', async () => {
    const cache = new RenderCache();
    const b = bundle(configMap('a', 'b'));
    await cache.render('sha256:1', b, cluster(1));
    await cache.render('sha256:1', b, cluster(1, {}, 'v1.36.0'));
    await cache.render('sha256:2', bundle(configMap('a', 'c')), cluster(1));
    expect(cache.stats).toMatchObject({ hits: 0, misses: 3, entries: 3 });
  });

  it('lets the least recently used go when it is full', async () => {
    const cache = new RenderCache({ maxBytes: 3 * 10_000 });
    const b = bundle(configMap('a', `{{facts.clusterName}} ${'x'.repeat(7000)}`));
    for (const i of [1, 2, 3]) await cache.render('sha256:1', b, cluster(i));
    await cache.render('sha256:1', b, cluster(1));
    await cache.render('sha256:1', b, cluster(4));
    expect(cache.stats).toMatchObject({ hits: 1, misses: 4, evictions: 1, entries: 3 });
    expect(cache.stats.bytes).toBeLessThanOrEqual(30_000);
    await cache.render('sha256:1', b, cluster(1));
    expect(cache.stats.hits).toBe(2);
    await cache.render('sha256:1', b, cluster(2));
    expect(cache.stats).toMatchObject({ misses: 5, evictions: 2 });
  });

  it('does not count what is the same for all clusters', async () => {
    const cache = new RenderCache();
    const b = bundle(`${configMap('a', 'x'.repeat(100_000))}---\n${configMap('b', '{{facts.clusterName}}')}`);
    for (let i = 0; i < 10; i++) await cache.render('sha256:1', b, cluster(i));
    expect(cache.stats.entries).toBe(10);
    expect(cache.stats.bytes).toBeLessThan(20_000);
  });

  it('does not keep failures', async () => {
    const cache = new RenderCache();
    const b = bundle(configMap('a', '{{facts.nope}}'));
    await expect(cache.render('sha256:1', b, cluster(1))).rejects.toThrow('{{facts.nope}} is not known');
    await expect(cache.render('sha256:1', b, cluster(1))).rejects.toThrow('{{facts.nope}} is not known');
    expect(cache.stats).toEqual({ hits: 0, misses: 2, evictions: 0, entries: 0, bytes: 0 });
  });
});
