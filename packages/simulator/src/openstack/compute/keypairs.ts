import { createHash, generateKeyPairSync } from 'node:crypto';
import { ApiError, type Call, isObject, type Json, jsonBody } from '../../core/message.ts';
import { type Auth, type Cloud, isoMicros, type OpenStackService } from '../cloud.ts';
import { checkName, microversion, schemaError } from './dialect.ts';
import type { KeyPair } from './state.ts';

/** A user's key pair by name. */
export function findKeyPair(cloud: Cloud, userId: string, name: string): KeyPair | undefined {
  return cloud.compute.keyPairs.get(`${userId}/${name}`);
}

/** Key pairs, generated and imported. */
export function serveKeyPairs(service: OpenStackService, cloud: Cloud): void {
  const { keyPairs } = cloud.compute;
  const owner = (call: Call, auth: Auth) => (auth.isAdmin && call.query.get('user_id')) || auth.userId;
  const brief = (k: KeyPair, minor: number): Json => ({
    name: k.name,
    public_key: k.publicKey,
    fingerprint: k.fingerprint,
    ...(minor >= 2 ? { type: k.type } : {}),
  });
  const find = (call: Call, auth: Auth): KeyPair => {
    const user = owner(call, auth);
    const k = findKeyPair(cloud, user, call.params.name!);
    if (!k) throw new ApiError(404, `Keypair ${call.params.name} not found for user ${user}`);
    return k;
  };
  service.on('GET', '/v2.1/os-keypairs', 'nova.keypair.list', (call, auth) => {
    const minor = microversion(call);
    let rows = [...keyPairs.by('user', owner(call, auth))].sort((a, b) => (a.name < b.name ? -1 : 1));
    const marker = call.query.get('marker');
    if (marker) rows = rows.slice(rows.findIndex((k) => k.name === marker) + 1);
    const limit = Number(call.query.get('limit') ?? 1000);
    const page = rows.slice(0, limit);
    const next = call.query.has('limit') && page.length === limit && page.length > 0;
    return {
      status: 200,
      json: {
        keypairs: page.map((k) => ({ keypair: brief(k, minor) })),
        ...(next
          ? {
              keypairs_links: [
                {
                  rel: 'next',
                  href: `${cloud.base}/compute/v2.1/os-keypairs?limit=${limit}&marker=${page.at(-1)!.name}`,
                },
              ],
            }
          : {}),
      },
    };
  });
  service.on('POST', '/v2.1/os-keypairs', 'nova.keypair.create', (call, auth) => {
    const minor = microversion(call);
    const given = jsonBody(call).keypair;
    if (!isObject(given)) throw schemaError('body', {}, "'keypair' is a required property");
    const name = checkName(given.name);
    if (!/^[A-Za-z0-9 _.@-]+$/.test(name))
      throw new ApiError(400, 'Keypair data is invalid: Keypair name contains unsafe characters');
    const userId = typeof given.user_id === 'string' && auth.isAdmin ? given.user_id : auth.userId;
    if (findKeyPair(cloud, userId, name)) throw new ApiError(409, `Key pair '${name}' already exists.`);
    const limit = cloud.quotas.limit('compute', auth.projectId, 'key_pairs');
    if (limit >= 0 && keyPairs.count('user', userId) >= limit)
      throw new ApiError(403, 'Quota exceeded, too many key pairs.');
    let publicKey: string;
    let privateKey: string | undefined;
    if (typeof given.public_key === 'string') {
      publicKey = given.public_key;
      if (given.type !== 'x509' && !/^(ssh-|ecdsa-|sk-)\S+ [A-Za-z0-9+/=]{16,}/.test(publicKey.trim()))
        throw new ApiError(400, 'Keypair data is invalid: failed to generate fingerprint');
    } else {
      if (minor >= 92) throw schemaError('keypair', given, "'public_key' is a required property");
      ({ publicKey, privateKey } = generate());
    }
    const k: KeyPair = {
      id: `${userId}/${name}`,
      name,
      userId,
      type: given.type === 'x509' ? 'x509' : 'ssh',
      publicKey,
      fingerprint: fingerprint(publicKey),
      createdAt: cloud.clock.now(),
      serial: keyPairs.size + 1,
    };
    keyPairs.save(k);
    return {
      status: minor >= 2 ? 201 : 200,
      json: { keypair: { ...brief(k, minor), user_id: k.userId, ...(privateKey ? { private_key: privateKey } : {}) } },
    };
  });
  service.on('GET', '/v2.1/os-keypairs/{name}', 'nova.keypair.show', (call, auth) => {
    const k = find(call, auth);
    return {
      status: 200,
      json: {
        keypair: {
          ...brief(k, microversion(call)),
          user_id: k.userId,
          id: k.serial,
          deleted: false,
          deleted_at: null,
          created_at: isoMicros(k.createdAt),
          updated_at: null,
        },
      },
    };
  });
  service.on('DELETE', '/v2.1/os-keypairs/{name}', 'nova.keypair.delete', (call, auth) => {
    keyPairs.delete(find(call, auth).id);
    return { status: microversion(call) >= 2 ? 204 : 202 };
  });
}

function fingerprint(publicKey: string): string {
  const blob = Buffer.from(publicKey.trim().split(/\s+/)[1] ?? publicKey, 'base64');
  return createHash('md5')
    .update(blob)
    .digest('hex')
    .replace(/(..)(?=.)/g, '$1:');
}

function generate(): { publicKey: string; privateKey: string } {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = pair.publicKey.export({ format: 'jwk' });
  const part = (bytes: Buffer) => {
    const padded = bytes.length > 0 && bytes[0]! & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(padded.length);
    return Buffer.concat([length, padded]);
  };
  const blob = Buffer.concat([
    part(Buffer.from('ssh-rsa')),
    part(Buffer.from(jwk.e!, 'base64url')),
    part(Buffer.from(jwk.n!, 'base64url')),
  ]);
  return {
    publicKey: `ssh-rsa ${blob.toString('base64')} Generated-by-Nova`,
    privateKey: pair.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
  };
}
