import { Agent, fetch } from 'undici';
import { userInfo } from '../auth/authenticate.ts';
import type { Admission, Exchange } from '../http/exchange.ts';
import { applyDefaults } from '../operations/checks.ts';
import { type Target, toVersion } from '../operations/target.ts';
import { applyJsonPatch } from '../patch/json-patch.ts';
import { type Call, type Core, newUid } from '../server-core.ts';
import { internalError, StatusError } from '../status.ts';
import type { Json, KubeObject } from '../types.ts';
import { at, isRecord, list, record, text } from '../util/json.ts';
import { compileLabelSelector } from '../util/selectors.ts';
import { conditionsHold } from './match-conditions.ts';

type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

const configurations = (kind: 'mutating' | 'validating'): string =>
  `${kind}webhookconfigurations.admissionregistration.k8s.io`;

/** Makes the admission chain of a server: mutating webhooks, one after the other, then validating ones together. */
export const createAdmission = (core: Core): Admission => new Webhooks(core);

class Webhooks implements Admission {
  private readonly core: Core;
  /** Connections by trust, so that a webhook is not shaken hands with on each request. */
  private readonly agents = new Map<string, Agent>();

  constructor(core: Core) {
    this.core = core;
  }

  async admit<T extends KubeObject | undefined>(
    x: Exchange,
    target: Target,
    call: Call,
    operation: Operation,
    object: T,
    old: KubeObject | undefined,
    subresource = '',
  ): Promise<T> {
    // Configurations of webhooks are not sent to webhooks, or a broken one could never be removed.
    if (target.type.group === 'admissionregistration.k8s.io') return object;
    const { store } = this.core;
    if (store.count(configurations('mutating')) === 0 && store.count(configurations('validating')) === 0) return object;
    let current = object;
    for (const hook of this.matching('mutating', target, operation, object ?? old, subresource)) {
      const response = await this.ask(x, target, call, operation, hook, current, old, subresource);
      if (!response || response.patch === undefined || !current) continue;
      const patch: unknown = JSON.parse(Buffer.from(text(response.patch), 'base64').toString());
      const changed = applyJsonPatch(current, patch) as KubeObject;
      current = toVersion(target, applyDefaults(target, changed)) as T;
    }
    const hooks = this.matching('validating', target, operation, current ?? old, subresource);
    const answers = await Promise.allSettled(
      hooks.map((hook) => this.ask(x, target, call, operation, hook, current, old, subresource)),
    );
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
    return current;
  }

  private matching(
    kind: 'mutating' | 'validating',
    target: Target,
    operation: Operation,
    object: KubeObject | undefined,
    subresource: string,
  ): Json[] {
    const hooks: Json[] = [];
    for (const configuration of this.core.store.scan(configurations(kind), undefined)) {
      for (const hook of list(configuration.webhooks).filter(isRecord)) {
        if (!list(hook.rules).some((r) => ruleMatches(record(r), target, operation, subresource))) continue;
        if (!compileLabelSelector(hook.objectSelector)(object?.metadata.labels ?? {})) continue;
        const namespace =
          target.type.table === 'namespaces'
            ? object
            : target.type.namespaced
              ? this.core.store.get('namespaces', '', target.namespace)
              : undefined;
        if (namespace && !compileLabelSelector(hook.namespaceSelector)(namespace.metadata.labels ?? {})) continue;
        hooks.push(hook);
      }
    }
    return hooks;
  }

  private async ask(
    x: Exchange,
    target: Target,
    call: Call,
    operation: Operation,
    hook: Json,
    object: KubeObject | undefined,
    old: KubeObject | undefined,
    subresource: string,
  ): Promise<Json | undefined> {
    const name = text(hook.name);
    const request = this.request(x, target, call, operation, object, old, subresource);
    let response: Json;
    try {
      if (!conditionsHold(hook, { object, oldObject: old, request })) return undefined;
      response = await this.post(hook, { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request });
      if (response.uid !== request.uid)
        throw new Error(`expected response.uid="${String(request.uid)}", got "${String(response.uid)}"`);
    } catch (error) {
      if (hook.failurePolicy === 'Ignore') return undefined;
      throw internalError(`failed calling webhook "${name}": failed to call webhook: ${reasonOf(error)}`);
    }
    for (const warning of list(response.warnings)) call.warn?.(text(warning));
    if (response.allowed === true) return response;
    throw denied(name, record(response.status));
  }

  private request(
    x: Exchange,
    target: Target,
    call: Call,
    operation: Operation,
    object: KubeObject | undefined,
    old: KubeObject | undefined,
    subresource: string,
  ): Json {
    const { type, version } = target;
    const kind = { group: type.group, version: version.version, kind: type.kind };
    const resource = { group: type.group, version: version.version, resource: type.plural };
    return {
      uid: newUid(this.core.random),
      kind,
      resource,
      ...(subresource === '' ? {} : { subResource: subresource, requestSubResource: subresource }),
      requestKind: kind,
      requestResource: resource,
      name: (object ?? old)?.metadata.name ?? '',
      ...(type.namespaced ? { namespace: target.namespace } : {}),
      operation,
      userInfo: userInfo(x.user),
      object: object ?? null,
      oldObject: old ?? null,
      dryRun: call.dryRun === true,
      options: {
        kind: operation === 'CREATE' ? 'CreateOptions' : operation === 'UPDATE' ? 'UpdateOptions' : 'DeleteOptions',
        apiVersion: 'meta.k8s.io/v1',
      },
    };
  }

  private async post(hook: Json, review: Json): Promise<Json> {
    const url = text(at(hook, 'clientConfig', 'url'));
    if (url === '')
      throw new Error('webhooks behind a Service are not reachable in this server: clientConfig.url is needed');
    const seconds = typeof hook.timeoutSeconds === 'number' ? hook.timeoutSeconds : 10;
    const bundle = text(at(hook, 'clientConfig', 'caBundle'));
    let agent = this.agents.get(bundle);
    if (!agent) {
      agent = new Agent({ connect: bundle === '' ? {} : { ca: Buffer.from(bundle, 'base64').toString() } });
      this.agents.set(bundle, agent);
    }
    const target = new URL(url);
    target.searchParams.set('timeout', `${seconds}s`);
    const answer = await fetch(target, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(review),
      signal: AbortSignal.timeout(seconds * 1000),
      dispatcher: agent,
    });
    if (!answer.ok) throw new Error(`Post "${url}": the server answered ${answer.status}`);
    const response = record((await answer.json()) as unknown).response;
    if (!isRecord(response)) throw new Error('the answer has no response');
    return response;
  }
}

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
};

function denied(name: string, status: Json): StatusError {
  const code = typeof status.code === 'number' && status.code >= 400 ? status.code : 403;
  const message = text(status.message);
  const why =
    message === ''
      ? status.reason
        ? `denied the request: ${text(status.reason)}`
        : 'denied the request without explanation'
      : `denied the request: ${message}`;
  return new StatusError(
    code,
    text(status.reason) || (code === 403 ? 'Forbidden' : ''),
    `admission webhook "${name}" ${why}`,
    record(status.details),
  );
}

function ruleMatches(rule: Json, target: Target, operation: Operation, subresource: string): boolean {
  const includes = (field: string, value: string): boolean => list(rule[field]).some((v) => v === '*' || v === value);
  const { type, version } = target;
  if (
    !includes('operations', operation) ||
    !includes('apiGroups', type.group) ||
    !includes('apiVersions', version.version)
  )
    return false;
  if (rule.scope === 'Namespaced' && !type.namespaced) return false;
  if (rule.scope === 'Cluster' && type.namespaced) return false;
  return list(rule.resources).some((r) => {
    const [plural, sub] = text(r).split('/');
    if (plural !== '*' && plural !== type.plural) return false;
    return sub === undefined ? subresource === '' : sub === '*' || sub === subresource;
  });
}
