import { createHash, timingSafeEqual } from 'node:crypto';
import { RegistryError } from './error.ts';
import type { Ask } from './message.ts';

/** Somebody who may come in. */
export interface User {
  name: string;
  password: string;
}

const REALM = 'registry';
const hash = (text: string): Buffer => createHash('sha256').update(text).digest();

/** What a request needs, as registries name it. */
function needed(ask: Ask): object[] | null {
  if (ask.operation === 'version') return null;
  if (ask.operation === 'catalog.list') return [{ Type: 'registry', Class: '', Name: 'catalog', Action: '*' }];
  const of = (Action: string) => ({ Type: 'repository', Class: '', Name: ask.name, Action });
  if (/\.(get|head|list|status)$/.test(ask.operation)) return [of('pull')];
  return ask.operation.endsWith('.delete') ? [of('delete')] : [of('pull'), of('push')];
}

/** Lets only users with their password in. Without users everybody may. @throws {RegistryError} 401 with the challenge */
export function authenticate(users: readonly User[], ask: Ask): void {
  if (users.length === 0) return;
  const [scheme, credential = ''] = (ask.headers.authorization ?? '').split(' ');
  const text = scheme?.toLowerCase() === 'basic' ? Buffer.from(credential, 'base64').toString('utf8') : '';
  const at = text.indexOf(':');
  const user = users.find((u) => u.name === text.slice(0, Math.max(0, at)));
  if (user && timingSafeEqual(hash(user.password), hash(text.slice(at + 1)))) return;
  throw new RegistryError('UNAUTHORIZED', needed(ask), { headers: { 'WWW-Authenticate': `Basic realm="${REALM}"` } });
}
