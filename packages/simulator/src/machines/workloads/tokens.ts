import { record, text } from '../../kubernetes/util/json.ts';
import type { Context } from './context.ts';
import type { Controller } from './engine.ts';
import { keyOf, refOf } from './objects.ts';

const TYPE = 'bootstrap.kubernetes.io/token';

/** Removes bootstrap tokens when they end, as the token cleaner does. */
export const tokenCleaner = (x: Context): Controller => ({
  name: 'token-cleaner',
  sees: {
    secrets: ({ type, object }) => (type !== 'DELETED' && object.type === TYPE ? [keyOf(object)] : []),
  },
  reconcile(key) {
    const secret = x.resources.of('Secret').get(refOf(key));
    const expiration = Buffer.from(text(record(secret?.data).expiration), 'base64').toString();
    if (!secret || expiration === '') return;
    const left = Date.parse(expiration) - x.clock.now();
    if (left > 0) x.engine.wakeAfter('token-cleaner', key, left);
    else x.resources.of('Secret').delete(refOf(key), { preconditions: { uid: secret.metadata.uid ?? '' } });
  },
});
