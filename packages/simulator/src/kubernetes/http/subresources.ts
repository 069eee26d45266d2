import type { TokenSigner } from '../auth/jwt.ts';
import { remove } from '../operations/delete.ts';
import { read, type Target, toVersion } from '../operations/target.ts';
import { commitUpdate, prepareUpdate } from '../operations/update.ts';
import { applyJsonPatch } from '../patch/json-patch.ts';
import { applyMergePatch } from '../patch/merge-patch.ts';
import {
  badRequest,
  conflict,
  invalid,
  methodNotAllowed,
  notFound,
  notImplemented,
  StatusError,
  tooManyRequests,
} from '../status.ts';
import { bindPod } from '../strategies/pods.ts';
import { selectorText } from '../table/format.ts';
import { type Json, type KubeObject, rfc3339 } from '../types.ts';
import { invalidValue } from '../util/field-errors.ts';
import { at, atDotted, clone, isRecord, record, put as setPath, text } from '../util/json.ts';
import { body, callOf, contentType, type Exchange } from './exchange.ts';
import { patchWith, updateWith } from './resource-handler.ts';
import { send } from './respond.ts';
import { sendObject } from './show.ts';

/** What is needed beyond the store for some subresources. */
export interface SubresourceOptions {
  signer: TokenSigner | undefined;
  issuer: string;
  /** Decides on an eviction: undefined lets it happen, a budget refuses it with 429. */
  mayEvict?: (pod: KubeObject) => { budget: string; message: string } | undefined;
  /** Answers pods/log, exec, attach, portforward and the proxies; undefined refuses with 501. */
  connect?: (x: Exchange, pod: KubeObject, subresource: string) => Promise<void> | undefined;
}

/** Answers a request for a subresource. */
export async function handleSubresource(
  x: Exchange,
  target: Target,
  subresource: string,
  o: SubresourceOptions,
): Promise<void> {
  const name = x.info.resource?.name ?? '';
  const [first = ''] = subresource.split('/');
  const known = target.version.subresources.find((s) => s.subresource === first);
  if (!known) throw new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});
  switch (first) {
    case 'status':
    case 'approval':
    case 'finalize':
    case 'resize':
    case 'ephemeralcontainers':
      return part(x, target, name, first);
    case 'scale':
      return scale(x, target, name);
    case 'eviction':
      return evict(x, target, name, o);
    case 'binding':
      return bind(x, target, name);
    case 'token':
      return token(x, target, name, o);
    default: {
      const object = toVersion(target, read(x.core, target, name));
      const handled = o.connect?.(x, object, subresource);
      if (!handled)
        throw notImplemented(
          `${target.type.plural}/${first} is not simulated: there is no container behind pod "${name}"`,
        );
      return handled;
    }
  }
}

/** Subresources that are the object itself, with only a part of it writable. */
async function part(x: Exchange, target: Target, name: string, subresource: string): Promise<void> {
  // An approval is part of status; the others may change what they are for.
  const scope = subresource === 'approval' ? 'status' : subresource;
  switch (x.info.verb) {
    case 'get':
      return sendObject(x, target, 200, toVersion(target, read(x.core, target, name)));
    case 'update': {
      const call = callOf(x);
      const sent = await body(x);
      if (!isRecord(sent)) throw badRequest('the body of the request is empty; an object is required');
      return sendObject(x, target, 200, await updateWith(x, target, call, name, () => sent, { subresource: scope }));
    }
    case 'patch': {
      const { code, object } = await patchWith(x, target, name, scope);
      return sendObject(x, target, code, object);
    }
    default:
      throw methodNotAllowed();
  }
}

function scaleOf(target: Target, object: KubeObject): Json {
  const paths = target.version.scale;
  if (!paths) throw new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});
  const selector = paths.selector === undefined ? undefined : atDotted(object, paths.selector);
  const shown =
    typeof selector === 'string'
      ? selector
      : target.type.table === 'replicationcontrollers'
        ? selectorText({ matchLabels: selector })
        : selector === undefined
          ? undefined
          : selectorText(selector);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: atDotted(object, paths.spec) ?? 0 },
    status: { replicas: atDotted(object, paths.status) ?? 0, ...(shown ? { selector: shown } : {}) },
  };
}

async function scale(x: Exchange, target: Target, name: string): Promise<void> {
  const live = toVersion(target, read(x.core, target, name));
  const current = scaleOf(target, live);
  if (x.info.verb === 'get') return send(x.response, 200, current);
  if (x.info.verb !== 'update' && x.info.verb !== 'patch') throw methodNotAllowed();
  const sent = await body(x);
  let wanted: unknown = sent;
  if (x.info.verb === 'patch') {
    if (contentType(x) === 'application/json-patch+json') wanted = applyJsonPatch(current, sent);
    else wanted = applyMergePatch(current, record(sent));
  }
  const replicas = at(wanted, 'spec', 'replicas') ?? 0;
  if (typeof replicas !== 'number' || replicas < 0 || !Number.isInteger(replicas)) {
    throw invalid('autoscaling', 'Scale', name, [
      invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ]);
  }
  const version = text(at(wanted, 'metadata', 'resourceVersion'));
  if (version !== '' && version !== live.metadata.resourceVersion) throw conflict(target.type, name);
  const call = callOf(x);
  const change = (object: KubeObject): KubeObject => {
    setPath(
      object,
      (target.version.scale?.spec ?? '').split('.').filter((p) => p !== ''),
      replicas,
    );
    return object;
  };
  const changing = prepareUpdate(x.core, target, call, name, change, { unconditional: true });
  changing.next = await x.admission.admit(x, target, call, 'UPDATE', changing.next, changing.before, 'scale');
  send(x.response, 200, scaleOf(target, commitUpdate(x.core, target, call, changing)));
}

async function evict(x: Exchange, target: Target, name: string, o: SubresourceOptions): Promise<void> {
  if (x.info.verb !== 'create') throw methodNotAllowed();
  const sent = record(await body(x));
  const live = read(x.core, target, name);
  const options = record(sent.deleteOptions);
  const refused = o.mayEvict?.(live);
  // A pod that has ended, or was never started, disturbs nobody.
  const phase = at(live, 'status', 'phase');
  if (refused && phase !== 'Succeeded' && phase !== 'Failed' && phase !== 'Pending') {
    throw tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", [
      { reason: 'DisruptionBudget', message: refused.message },
    ]);
  }
  const call = callOf(x);
  const dryRun = call.dryRun === true || (Array.isArray(options.dryRun) && options.dryRun.includes('All'));
  remove(x.core, target, { ...call, dryRun }, name, options);
  send(x.response, 201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 });
}

async function bind(x: Exchange, target: Target, name: string): Promise<void> {
  if (x.info.verb !== 'create') throw methodNotAllowed();
  const sent = await body(x);
  if (!isRecord(sent)) throw badRequest('the body of the request is empty; a Binding is required');
  bindTo(x, target, name, sent);
}

/** `pods/binding` and `bindings`: gives the pod its node. */
export function bindTo(x: Exchange, target: Target, name: string, binding: Json): void {
  const live = read(x.core, target, name);
  const node = at(live, 'spec', 'nodeName');
  if (node)
    throw conflict(
      { group: '', plural: 'pods/binding' },
      name,
      `pod ${name} is already assigned to node "${String(node)}"`,
    );
  const next = clone(live);
  bindPod(next, binding, x.core.clock.now());
  x.core.store.put(target.type.table, next);
  send(x.response, 201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 });
}

async function token(x: Exchange, target: Target, name: string, o: SubresourceOptions): Promise<void> {
  if (x.info.verb !== 'create') throw methodNotAllowed();
  if (!o.signer) throw notImplemented('this server has no service-account key: it issues no tokens');
  const posted = record(await body(x));
  const account = read(x.core, target, name);
  const spec = record(posted.spec);
  const seconds = typeof spec.expirationSeconds === 'number' ? spec.expirationSeconds : 3600;
  if (seconds < 600)
    throw invalid('authentication.k8s.io', 'TokenRequest', '', [
      invalidValue('spec.expirationSeconds', seconds, 'may not specify a duration less than 10 minutes'),
    ]);
  const bound = record(spec.boundObjectRef);
  const pod = bound.kind === 'Pod' ? x.core.store.get('pods', target.namespace, text(bound.name)) : undefined;
  if (bound.kind === 'Pod' && !pod) throw notFound({ group: '', plural: 'pods' }, text(bound.name));
  const now = Math.floor(x.core.clock.now() / 1000);
  const audiences = Array.isArray(spec.audiences) && spec.audiences.length > 0 ? spec.audiences : [o.issuer];
  const claims: Json = {
    aud: audiences,
    exp: now + seconds,
    iat: now,
    nbf: now,
    iss: o.issuer,
    sub: `system:serviceaccount:${target.namespace}:${name}`,
    'kubernetes.io': {
      namespace: target.namespace,
      serviceaccount: { name, uid: account.metadata.uid },
      ...(pod ? { pod: { name: pod.metadata.name, uid: pod.metadata.uid } } : {}),
    },
  };
  send(x.response, 201, {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace: target.namespace, creationTimestamp: rfc3339(x.core.clock.now()) },
    spec: { ...spec, audiences, expirationSeconds: seconds },
    status: { token: o.signer.sign(claims), expirationTimestamp: rfc3339((now + seconds) * 1000) },
  });
}
