import { type Answer, type Send, sha256 } from './exchanges.ts';

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const OCTETS = { 'content-type': 'application/octet-stream' };
const JSON_CONTENT = { 'content-type': 'application/json' };
const UNKNOWN = `sha256:${'0'.repeat(64)}`;
const NAME = 'team/addons/flannel';

const blobs = {
  config: '{"name":"flannel"}',
  hello: 'hello, registry',
  other: 'another content',
};

const descriptor = (content: string, mediaType: string) => ({
  mediaType,
  digest: sha256(content),
  size: Buffer.byteLength(content),
});

const manifest = (more: object = {}): string =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: IMAGE,
    artifactType: 'application/vnd.example.thing.v1+json',
    config: descriptor(blobs.config, 'application/vnd.example.config.v1+json'),
    layers: [descriptor(blobs.hello, 'application/vnd.example.content.v1')],
    ...more,
  });

const location = (a: Answer): string => a.headers.location ?? '/no-location';
const withDigest = (url: string, digest: string): string => `${url}${url.includes('?') ? '&' : '?'}digest=${digest}`;

/** Begins an upload without a line in the record; gives where it goes on. */
async function begin(send: Send, title: string, name = NAME): Promise<string> {
  return location(await send(title, 'POST', `/v2/${name}/blobs/uploads/`));
}

async function store(send: Send, content: string, name = NAME): Promise<void> {
  const at = await begin(send, 'an upload begins', name);
  await send('a blob in one piece', 'PUT', withDigest(at, sha256(content)), { headers: OCTETS, body: content });
}

/** What any client needs: blobs, manifests, tags, lists. Told to an empty registry that lets things be deleted. */
export async function commonStory(send: Send): Promise<void> {
  await send('the version check', 'GET', '/v2/');
  await send('the version check without a slash', 'GET', '/v2');
  await send('the version check, its headers', 'HEAD', '/v2/');
  await send('another method of the version check', 'POST', '/v2/');
  await send('a path that is nothing', 'GET', '/v2/nothing');
  await send('a path outside of the API', 'GET', '/index.html');
  await send('an empty catalogue', 'GET', '/v2/_catalog');
  await send('tags of a repository that is not there', 'GET', `/v2/${NAME}/tags/list`);
  await send('a manifest of a repository that is not there', 'GET', `/v2/${NAME}/manifests/1.0.0`);
  await send('a name that is none', 'GET', '/v2/Team/tags/list');
  await send('a tag that is none', 'GET', `/v2/${NAME}/manifests/-x`);

  await send('a blob that is not there', 'HEAD', `/v2/${NAME}/blobs/${UNKNOWN}`);
  await send('a blob that is not there', 'GET', `/v2/${NAME}/blobs/${UNKNOWN}`);
  await send('a digest that is none', 'GET', `/v2/${NAME}/blobs/sha256:abc`);

  await uploads(send);
  await reading(send);
  await manifests(send);
  await lists(send);
  await deletions(send);
}

/** How far a broken upload is, once the registry has seen that it broke. */
async function settled(send: Send, at: string): Promise<Answer> {
  for (;;) {
    const answer = await send('', 'GET', at);
    if (answer.headers.range !== '0-0') return send('how far the broken one is', 'GET', at);
  }
}

async function uploads(send: Send): Promise<void> {
  const hello = sha256(blobs.hello);
  let at = await begin(send, 'an upload begins');
  await send('with the wrong digest', 'PUT', withDigest(at, UNKNOWN), { headers: OCTETS, body: blobs.hello });
  at = await begin(send, 'an upload begins');
  await send('without a digest', 'PUT', at, { headers: OCTETS, body: blobs.hello });
  at = await begin(send, 'an upload begins');
  await send('with a digest that is none', 'PUT', withDigest(at, 'sha256:abc'), { headers: OCTETS, body: blobs.hello });
  at = await begin(send, 'an upload begins');
  await send('a blob in one piece', 'PUT', withDigest(at, hello), { headers: OCTETS, body: blobs.hello });
  await send('the upload that is over', 'GET', at);
  await store(send, blobs.hello);
  await store(send, blobs.config);

  // In chunks, with a look at how far it is.
  const { other } = blobs;
  at = await begin(send, 'an upload in chunks begins');
  await send('how far it is', 'GET', at);
  const first = await send('the first chunk', 'PATCH', at, {
    headers: { ...OCTETS, 'content-range': '0-6' },
    body: other.slice(0, 7),
  });
  await send('a chunk by the way of the first', 'PATCH', at, {
    headers: { ...OCTETS, 'content-range': '7-8' },
    body: other.slice(7, 9),
  });
  const resumed = await send('how far it is, without a state', 'GET', location(first).split('?')[0]!);
  at = location(resumed);
  await send('a chunk that leaves a gap', 'PATCH', at, {
    headers: { ...OCTETS, 'content-range': '9-10' },
    body: other.slice(9, 11),
  });
  await send('a chunk that was sent before', 'PATCH', at, {
    headers: { ...OCTETS, 'content-range': '0-6' },
    body: other.slice(0, 7),
  });
  await send('a chunk whose range has another length', 'PATCH', at, {
    headers: { ...OCTETS, 'content-range': '7-8' },
    body: other.slice(7),
  });
  await send('a chunk whose range is none', 'PATCH', at, {
    headers: { ...OCTETS, 'content-range': 'bytes 7-8/15' },
    body: other.slice(7, 9),
  });
  await send('a chunk of another type', 'PATCH', at, { headers: JSON_CONTENT, body: '{}' });
  const second = await send('the second chunk', 'PATCH', at, {
    headers: { ...OCTETS, 'content-range': `7-${other.length - 2}` },
    body: other.slice(7, -1),
  });
  await send('the end with the last piece', 'PUT', withDigest(location(second), sha256(other)), {
    headers: OCTETS,
    body: other.slice(-1),
  });
  // Broken in the middle: what arrived is there, and the upload goes on behind it.
  at = await begin(send, 'an upload begins');
  await send('a chunk that breaks off', 'PATCH', at, { headers: OCTETS, body: other, cutAfter: 5 });
  const left = await settled(send, at.split('?')[0]!);
  await send('the rest of it', 'PATCH', location(left), {
    headers: { ...OCTETS, 'content-range': `5-${other.length - 1}` },
    body: other.slice(5),
  });
  // Streamed: a chunk without a range.
  at = await begin(send, 'a streamed upload begins');
  const streamed = await send('all of it', 'PATCH', at, { headers: OCTETS, body: 'streamed' });
  await send('the end without a body', 'PUT', withDigest(location(streamed), sha256('streamed')));
  at = await begin(send, 'an upload begins');
  const bare = at.split('?')[0]!;
  await send('an end without a state', 'PUT', `${bare}?digest=${sha256('x')}`, { headers: OCTETS, body: 'x' });
  await send('it is given up without a state', 'DELETE', bare);
  await send('it is given up', 'DELETE', at);
  await send('the upload that was given up', 'GET', at);
  await send('the upload that was given up', 'DELETE', at);
  await send('an upload that never was', 'PATCH', `/v2/${NAME}/blobs/uploads/0e6f3d4c-0000-4000-8000-000000000000`, {
    headers: OCTETS,
    body: 'x',
  });
  await send('a state that nobody gave', 'PATCH', `${at.split('?')[0]}?_state=forged`, { headers: OCTETS, body: 'x' });
  // Between repositories.
  await send('a mount', 'POST', `/v2/other/thing/blobs/uploads/?mount=${hello}&from=${NAME}`);
  await send('a mount of what is not there', 'POST', `/v2/other/thing/blobs/uploads/?mount=${UNKNOWN}&from=${NAME}`);
  await send('a blob of another repository', 'HEAD', `/v2/other/thing/blobs/${sha256(blobs.config)}`);
  await send('a mounted blob', 'HEAD', `/v2/other/thing/blobs/${hello}`);
}

async function reading(send: Send): Promise<void> {
  const at = `/v2/${NAME}/blobs/${sha256(blobs.hello)}`;
  await send('a blob', 'HEAD', at);
  await send('a blob', 'GET', at);
  await send('its beginning', 'GET', at, { headers: { range: 'bytes=0-4' } });
  await send('its rest', 'GET', at, { headers: { range: 'bytes=7-' } });
  await send('its last bytes', 'GET', at, { headers: { range: 'bytes=-8' } });
  await send('more than there is', 'GET', at, { headers: { range: 'bytes=7-400' } });
  await send('what is beyond its end', 'GET', at, { headers: { range: 'bytes=400-' } });
  await send('a range that is none', 'GET', at, { headers: { range: 'bytes=x' } });
  await send('a blob that one has', 'GET', at, { headers: { 'if-none-match': `"${sha256(blobs.hello)}"` } });
}

async function manifests(send: Send): Promise<void> {
  const put = (title: string, reference: string, body: string, type = IMAGE) =>
    send(title, 'PUT', `/v2/${NAME}/manifests/${reference}`, { headers: { 'content-type': type }, body });
  await put(
    'a manifest whose blob is not there',
    '0.0.1',
    manifest({ layers: [descriptor('never sent', 'text/plain')] }),
  );
  await put('a manifest that is no JSON', '0.0.1', '{');
  await put('a manifest of another type than it says', '0.0.1', manifest(), 'application/vnd.example.unknown+json');
  await put('a tag that is none', '-x', manifest());
  await put('a manifest', '1.0.0', manifest());
  await put('the same again', '1.0.0', manifest());
  await put('the same by its digest', sha256(manifest()), manifest());
  await put('another by the first one’s digest', sha256(manifest()), manifest({ annotations: { a: 'b' } }));
  await put('another under the same tag', '1.0.0', manifest({ annotations: { a: 'b' } }));
  await put('a second tag', '1.1.0', manifest());
  await put('a tag out of order', '0.9.0', manifest());
  const accept = { accept: IMAGE };
  const at = `/v2/${NAME}/manifests`;
  await send('a manifest by tag', 'GET', `${at}/1.1.0`, { headers: accept });
  await send('a manifest by tag', 'HEAD', `${at}/1.1.0`, { headers: accept });
  await send('a manifest by digest', 'GET', `${at}/${sha256(manifest())}`, { headers: accept });
  await send('a manifest that one has', 'GET', `${at}/1.1.0`, {
    headers: { ...accept, 'if-none-match': `"${sha256(manifest())}"` },
  });
  await send('a tag that is not there', 'HEAD', `${at}/7.0.0`, { headers: accept });
  await send('a tag that is not there', 'GET', `${at}/7.0.0`, { headers: accept });
  await send('a digest that is not there', 'GET', `${at}/${UNKNOWN}`, { headers: accept });
  await send('a way that there is not', 'POST', `${at}/1.0.0`, { headers: JSON_CONTENT, body: '{}' });
}

async function lists(send: Send): Promise<void> {
  await store(send, blobs.config, 'alone');
  await store(send, blobs.hello, 'alone');
  await send('a manifest of another repository', 'PUT', '/v2/alone/manifests/latest', {
    headers: { 'content-type': IMAGE },
    body: manifest(),
  });
  await send('tags', 'GET', `/v2/${NAME}/tags/list`);
  await send('tags of a repository with blobs alone', 'GET', '/v2/other/thing/tags/list');
  await send('the catalogue', 'GET', '/v2/_catalog');
  await send('the catalogue, its first', 'GET', '/v2/_catalog?n=1');
  await send('the catalogue after it', 'GET', '/v2/_catalog?n=1&last=alone');
  await send('the catalogue, the end', 'GET', '/v2/_catalog?n=100&last=alone');
  await send('the catalogue after its last', 'GET', '/v2/_catalog?last=zzz');
  await send('a size that is none', 'GET', '/v2/_catalog?n=x');
  await send('a size below none', 'GET', '/v2/_catalog?n=-1');
  await send('a size of none', 'GET', '/v2/_catalog?n=0');
  await send('more than is given at once', 'GET', '/v2/_catalog?n=1001');
  const at = `/v2/${NAME}/tags/list`;
  await send('tags, the first', 'GET', `${at}?n=1`);
  await send('tags after it', 'GET', `${at}?n=1&last=0.9.0`);
  await send('tags, the rest', 'GET', `${at}?n=2&last=0.9.0`);
  await send('tags after one that is not there', 'GET', `${at}?last=1.0.5`);
  await send('tags after the last', 'GET', `${at}?n=1&last=9`);
  await send('no tags', 'GET', `${at}?n=0`);
  await send('a number of tags that is none', 'GET', `${at}?n=x`);
}

async function deletions(send: Send): Promise<void> {
  const at = `/v2/${NAME}/manifests`;
  await send('a tag goes', 'DELETE', `${at}/0.9.0`);
  await send('the tag', 'HEAD', `${at}/0.9.0`);
  await send('a tag goes that is not there', 'DELETE', `${at}/7.0.0`);
  await send('a manifest goes', 'DELETE', `${at}/${sha256(manifest())}`);
  await send('its tags went too', 'GET', `/v2/${NAME}/tags/list`);
  await send('a manifest goes that went', 'DELETE', `${at}/${sha256(manifest())}`);
  const blob = `/v2/${NAME}/blobs/${sha256(blobs.other)}`;
  await send('a blob goes', 'DELETE', blob);
  await send('the blob', 'GET', blob);
  await send('a blob goes that went', 'DELETE', blob);
  await send('a blob goes whose digest is none', 'DELETE', `/v2/${NAME}/blobs/sha256:abc`);
  await send('it is still elsewhere', 'HEAD', `/v2/other/thing/blobs/${sha256(blobs.hello)}`);
  await send('the last manifest of a repository goes', 'DELETE', `/v2/alone/manifests/${sha256(manifest())}`);
  await send('tags of a repository without manifests', 'GET', '/v2/alone/tags/list');
  await send('it is still in the catalogue', 'GET', '/v2/_catalog');
}

/** The only user of {@link usersStory}'s registry. */
export const ALICE = { name: 'alice', password: 'wonderland' };

/** Who asks a registry that knows users. */
export async function usersStory(send: Send): Promise<void> {
  const as = (name: string, password: string) => ({
    headers: { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` },
  });
  await send('nobody', 'GET', '/v2/');
  await send('nobody, of a repository', 'GET', `/v2/${NAME}/tags/list`);
  await send('nobody, an upload', 'POST', `/v2/${NAME}/blobs/uploads/`);
  await send('nobody, the catalogue', 'GET', '/v2/_catalog');
  await send('a wrong password', 'GET', '/v2/', as('alice', 'hatter'));
  await send('somebody unknown', 'GET', '/v2/', as('bob', 'wonderland'));
  await send('another scheme', 'GET', '/v2/', { headers: { authorization: 'Bearer token' } });
  await send('alice', 'GET', '/v2/', as(ALICE.name, ALICE.password));
  await send('alice, an upload', 'POST', `/v2/${NAME}/blobs/uploads/`, as(ALICE.name, ALICE.password));
}
