import { describe, expect, it } from 'vitest';
import { asPointer, removePath } from './field-path.ts';

const object = {
  metadata: { labels: { 'app.kubernetes.io/name': 'a', plain: 'b' }, finalizers: ['a', 'b'] },
  spec: {
    replicas: 2,
    ports: [
      { port: 80, protocol: 'TCP' },
      { port: 80, protocol: 'UDP' },
    ],
    containers: [{ name: 'x', image: 'one', args: ['[a]'] }, { name: 'y' }],
  },
};

describe('a path as server-side apply writes it', () => {
  it.each([
    ['.spec.replicas', (o: typeof object) => delete (o.spec as { replicas?: number }).replicas],
    [
      '.spec.containers[name="x"].image',
      (o: typeof object) => delete (o.spec.containers[0] as { image?: string }).image,
    ],
    ['.spec.containers[name="y"]', (o: typeof object) => o.spec.containers.pop()],
    ['.spec.ports[port=80,protocol="UDP"]', (o: typeof object) => o.spec.ports.pop()],
    ['.metadata.finalizers[="b"]', (o: typeof object) => o.metadata.finalizers.pop()],
    [
      '.metadata.labels.app.kubernetes.io/name',
      (o: typeof object) => delete (o.metadata.labels as Record<string, string>)['app.kubernetes.io/name'],
    ],
    ['.spec.containers[name="x"].args[0]', (o: typeof object) => o.spec.containers[0]!.args!.pop()],
    ['.spec.nothing.of.that', () => {}],
    ['.spec.containers[name="z"].image', () => {}],
  ])('takes out %s and nothing else', (path, how) => {
    const expected = structuredClone(object);
    how(expected);
    expect(removePath(object, path)).toEqual(expected);
  });

  it('is shown as a JSON pointer', () => {
    expect(asPointer('.spec.containers[name="a/b"].ports[containerPort=80,protocol="TCP"]')).toBe(
      '/spec/containers/a~1b/ports/80,TCP',
    );
  });
});
