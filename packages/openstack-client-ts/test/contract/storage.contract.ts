import { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { collect, metadataQuery, waitUntil } from '../../src/index.ts';
import { aNetwork, aServerKind, Cleanup, cloudOf, gone, subject, title, unique } from './support.ts';

const images = await subject();
const volumes = await subject('blockStorage');

describe.skipIf(images.missing)(title('images', images), () => {
  const cleanup = new Cleanup();
  const api = () => cloudOf(images).image.images;

  afterAll(async () => {
    await cleanup.run();
    await images.cloud?.close();
  });

  it('makes an image, uploads and downloads it, changes and deletes it', async () => {
    const content = Buffer.from('not much of an image'.repeat(1_000));
    const name = unique('image');
    const image = await api().create({ name, disk_format: 'raw', container_format: 'bare', os_distro: 'debian' });
    cleanup.add(
      'image',
      () => api().delete(image.id),
      () => api().get(image.id),
    );
    expect(image).toMatchObject({ name, status: 'queued', size: null, os_distro: 'debian' });
    await api().upload(image.id, Readable.from([content.subarray(0, 5_000), content.subarray(5_000)]));
    expect(await api().get(image.id)).toMatchObject({ status: 'active', size: content.length });
    const chunks = await collect((await api().download(image.id)) as AsyncIterable<Buffer>);
    expect(Buffer.concat(chunks).equals(content)).toBe(true);

    const changed = await api().setProperties(image.id, { name: `${name}-2`, os_distro: undefined, os_version: '12' });
    expect(changed).toMatchObject({ name: `${name}-2`, os_version: '12' });
    expect(changed).not.toHaveProperty('os_distro');
    await api().addTag(image.id, 'contract');
    expect((await api().get(image.id)).tags).toEqual(['contract']);
    expect(
      (
        await api()
          .list({ tag: 'contract', name: `${name}-2` })
          .all()
      ).map((i) => i.id),
    ).toEqual([image.id]);
    await api().delete(image.id);
    await expect(api().get(image.id)).rejects.toMatchObject({ name: 'NotFoundError', status: 404 });
  });

  it('pages through images, two at a time', async () => {
    const tag = unique('tag');
    for (let n = 0; n < 3; n++) {
      const image = await api().create({ name: unique('image'), tags: [tag] });
      cleanup.add('image', () => api().delete(image.id));
    }
    const pages = await collect(api().list({ tag, limit: 2 }).pages());
    expect(pages.flat().length).toBe(3);
    expect(pages[0]?.length).toBe(2);
  });
});

describe.skipIf(volumes.missing)(title('volumes', volumes), () => {
  const cleanup = new Cleanup();
  const cloud = () => cloudOf(volumes);
  const api = () => cloud().blockStorage;
  const inStatus = (id: string, wanted: string) =>
    waitUntil(
      async () => {
        const volume = await api().volumes.get(id);
        if (volume.status === 'error') throw new Error(`volume ${id} is in error`);
        return volume.status === wanted ? volume : undefined;
      },
      { what: `volume ${id} to be ${wanted}`, timeoutMs: 120_000 },
    );

  afterAll(async () => {
    await cleanup.run();
    await volumes.cloud?.close();
  });

  it('makes a volume, changes and deletes it until 404', async () => {
    const name = unique('volume');
    const volume = await api().volumes.create({ size: 1, name, metadata: { owner: 'contract' } });
    cleanup.add(
      'volume',
      () => api().volumes.delete(volume.id),
      () => api().volumes.get(volume.id),
    );
    expect(await inStatus(volume.id, 'available')).toMatchObject({ size: 1, name, metadata: { owner: 'contract' } });
    expect((await api().volumes.update(volume.id, { description: 'changed' })).description).toBe('changed');
    expect((await api().volumes.findByName(name))?.id).toBe(volume.id);
    const owned = (metadata: Record<string, string>) =>
      api()
        .volumes.list({ metadata: metadataQuery(metadata) })
        .all();
    await api().volumes.update(volume.id, { metadata: { 'contract.example.org/volume': name } });
    expect((await owned({ 'contract.example.org/volume': name })).map((v) => v.id)).toEqual([volume.id]);
    expect(await owned({ 'contract.example.org/volume': 'other' })).toEqual([]);
    await api().volumes.delete(volume.id);
    await waitUntil(() => gone(() => api().volumes.get(volume.id)), { what: 'the volume to go', timeoutMs: 120_000 });
    await expect(api().volumes.get(volume.id)).rejects.toMatchObject({ name: 'NotFoundError', code: 'itemNotFound' });
  });

  // Not every hypervisor can: libvirt's containers (lxc) cannot.
  it.skipIf(process.env.CONTRACT_NO_ATTACH)('attaches a volume to a server and detaches it', async () => {
    const { network } = await aNetwork(cloud(), cleanup, '10.79.0.0/24');
    const { servers } = cloud().compute;
    const create = { ...(await aServerKind(cloud())), networks: [{ uuid: network.id }] };
    const { id } = await servers.create({ name: unique('server'), ...create });
    cleanup.add(
      'server',
      () => servers.delete(id),
      () => servers.get(id),
    );
    const volume = await api().volumes.create({ size: 1, name: unique('volume') });
    cleanup.add(
      'volume',
      () => api().volumes.delete(volume.id),
      () => api().volumes.get(volume.id),
    );
    await inStatus(volume.id, 'available');
    const active = async () => ((await servers.get(id)).status === 'ACTIVE' ? true : undefined);
    await waitUntil(active, { what: 'the server to be active', timeoutMs: 240_000 });

    expect(await servers.volumes.attach(id, { volumeId: volume.id })).toMatchObject({
      volumeId: volume.id,
      serverId: id,
    });
    expect((await inStatus(volume.id, 'in-use')).attachments[0]).toMatchObject({ server_id: id });
    expect((await servers.volumes.list(id).all()).map((a) => a.volumeId)).toEqual([volume.id]);
    await expect(api().volumes.delete(volume.id)).rejects.toMatchObject({ status: 400 });
    await servers.volumes.detach(id, volume.id);
    await inStatus(volume.id, 'available');
    expect(await servers.volumes.list(id).all()).toEqual([]);
  });

  it('pages through volumes, two at a time', async () => {
    const name = unique('page');
    for (let n = 0; n < 3; n++) {
      const volume = await api().volumes.create({ size: 1, name });
      cleanup.add(
        'volume',
        () => api().volumes.delete(volume.id),
        () => api().volumes.get(volume.id),
      );
      await inStatus(volume.id, 'available');
    }
    const pages = await collect(api().volumes.list({ name, limit: 2 }).pages());
    expect(pages.flat().length).toBe(3);
    expect(pages[0]?.length).toBe(2);
  });

  it('names types and quotas', async () => {
    expect((await api().types.list().all()).length).toBeGreaterThanOrEqual(1);
    const projectId = (await cloud().projectId()) ?? '';
    const quota = await api().quotas.get(projectId);
    expect(await api().quotas.usage(projectId)).toMatchObject({
      volumes: { limit: quota.volumes, in_use: expect.any(Number) },
    });
  });
});
