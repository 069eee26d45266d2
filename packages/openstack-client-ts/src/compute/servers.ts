import { Collection } from '../collection.ts';
import { path } from '../http/query.ts';
import type { Paged } from '../paged.ts';
import type { ServiceClient } from '../service-client.ts';
import { Tags } from '../tags.ts';
import type { CallOptions } from '../types.ts';
import type {
  InstanceAction,
  InterfaceAttachment,
  Server,
  ServerCreate,
  ServerCreated,
  ServerQuery,
  ServerUpdate,
  VolumeAttachment,
} from './server-types.ts';

/** Text as Nova's `user_data` wants it: base64 of its UTF-8. */
export function encodeUserData(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

const SPEC = { path: '/servers', listPath: '/servers/detail', one: 'server', many: 'servers' };

/** Nova's servers. */
export class Servers extends Collection<Server, ServerCreate, ServerUpdate, ServerQuery, ServerCreated> {
  /** From microversion 2.26. */
  readonly tags: Tags;
  readonly metadata: ServerMetadata;
  readonly volumes: VolumeAttachments;
  readonly interfaces: InterfaceAttachments;

  constructor(client: ServiceClient) {
    super(client, SPEC);
    this.tags = new Tags(client, SPEC.path, { minimum: '2.26', what: 'server tags' });
    this.metadata = new ServerMetadata(client);
    this.volumes = new VolumeAttachments(client);
    this.interfaces = new InterfaceAttachments(client);
  }

  /** Asks for a server; the answer has little more than its id. Names are not unique: when the error says `mayHaveHappened`, look before asking again. */
  override create(body: ServerCreate, options?: CallOptions): Promise<ServerCreated> {
    const { 'os:scheduler_hints': hints, ...server } = body;
    const request = {
      method: 'POST',
      path: SPEC.path,
      body: hints === undefined ? { server } : { server, 'os:scheduler_hints': hints },
      ...(body.tags === undefined ? {} : { minimum: '2.52', what: 'tags in the create call' }),
    } as const;
    return this.client.json(request, 'server', options);
  }

  /** Deletes it although the cloud keeps deleted servers for a while (SOFT_DELETED). */
  forceDelete(id: string, options?: CallOptions): Promise<void> {
    return this.act(id, { forceDelete: null }, options);
  }

  /** Brings a SOFT_DELETED server back. */
  restore(id: string, options?: CallOptions): Promise<void> {
    return this.act(id, { restore: null }, options);
  }

  reboot(id: string, type: 'SOFT' | 'HARD', options?: CallOptions): Promise<void> {
    return this.act(id, { reboot: { type } }, options);
  }

  start(id: string, options?: CallOptions): Promise<void> {
    return this.act(id, { 'os-start': null }, options);
  }

  stop(id: string, options?: CallOptions): Promise<void> {
    return this.act(id, { 'os-stop': null }, options);
  }

  pause(id: string, options?: CallOptions): Promise<void> {
    return this.act(id, { pause: null }, options);
  }

  unpause(id: string, options?: CallOptions): Promise<void> {
    return this.act(id, { unpause: null }, options);
  }

  suspend(id: string, options?: CallOptions): Promise<void> {
    return this.act(id, { suspend: null }, options);
  }

  resume(id: string, options?: CallOptions): Promise<void> {
    return this.act(id, { resume: null }, options);
  }

  shelve(id: string, options?: CallOptions): Promise<void> {
    return this.act(id, { shelve: null }, options);
  }

  unshelve(id: string, body: { availability_zone?: string } | null = null, options?: CallOptions): Promise<void> {
    return this.act(id, { unshelve: body }, options);
  }

  /** The reason needs 2.73. */
  lock(id: string, reason?: string, options?: CallOptions): Promise<void> {
    return this.act(id, { lock: reason === undefined ? null : { locked_reason: reason } }, options);
  }

  unlock(id: string, options?: CallOptions): Promise<void> {
    return this.act(id, { unlock: null }, options);
  }

  resize(id: string, flavorRef: string, options?: CallOptions): Promise<void> {
    return this.act(id, { resize: { flavorRef } }, options);
  }

  confirmResize(id: string, options?: CallOptions): Promise<void> {
    return this.act(id, { confirmResize: null }, options);
  }

  revertResize(id: string, options?: CallOptions): Promise<void> {
    return this.act(id, { revertResize: null }, options);
  }

  rebuild(id: string, body: { imageRef: string; [field: string]: unknown }, options?: CallOptions): Promise<Server> {
    return this.client.json<Server>({ ...this.actionRequest(id), body: { rebuild: body } }, 'server', options);
  }

  rescue(
    id: string,
    body: { rescue_image_ref?: string; adminPass?: string } = {},
    options?: CallOptions,
  ): Promise<void> {
    return this.act(id, { rescue: body }, options);
  }

  unrescue(id: string, options?: CallOptions): Promise<void> {
    return this.act(id, { unrescue: null }, options);
  }

  /** Gives the id of the image that Nova starts to make. */
  async createImage(
    id: string,
    name: string,
    metadata: Record<string, string> = {},
    options?: CallOptions,
  ): Promise<string> {
    const request = { ...this.actionRequest(id), body: { createImage: { name, metadata } } };
    const answer = await this.client.request(request, options);
    const imageId = (answer.body as { image_id?: string } | undefined)?.image_id;
    // Before 2.45 it is in the Location header only.
    return imageId ?? answer.headers.location?.split('/').pop() ?? '';
  }

  addSecurityGroup(id: string, name: string, options?: CallOptions): Promise<void> {
    return this.act(id, { addSecurityGroup: { name } }, options);
  }

  removeSecurityGroup(id: string, name: string, options?: CallOptions): Promise<void> {
    return this.act(id, { removeSecurityGroup: { name } }, options);
  }

  /** Only for administrators. */
  resetState(id: string, state: 'active' | 'error', options?: CallOptions): Promise<void> {
    return this.act(id, { 'os-resetState': { state } }, options);
  }

  /** The last `length` lines of the console, all without it. */
  consoleLog(id: string, length?: number, options?: CallOptions): Promise<string> {
    const body = { 'os-getConsoleOutput': length === undefined ? {} : { length } };
    // A POST by form, a read by meaning.
    return this.client.json<string>({ ...this.actionRequest(id), idempotent: true, body }, 'output', options);
  }

  /** Address of an interactive console. From 2.6. */
  remoteConsole(
    id: string,
    body: { protocol: 'vnc' | 'spice' | 'serial' | 'mks'; type: string },
    options?: CallOptions,
  ): Promise<{ protocol: string; type: string; url: string }> {
    return this.client.json(
      {
        method: 'POST',
        path: path`/servers/${id}/remote-consoles`,
        body: { remote_console: body },
        minimum: '2.6',
        what: 'remote consoles',
      },
      'remote_console',
      options,
    );
  }

  /** Any other action, as the API reference writes its body: `{ migrate: null }`. Never repeated after a lost answer. */
  async act(id: string, body: Record<string, unknown>, options?: CallOptions): Promise<void> {
    await this.client.request({ ...this.actionRequest(id), body }, options);
  }

  /** What was done with the server, newest first; still there after the server went (from 2.21). */
  actions(
    id: string,
    query?: { limit?: number; 'changes-since'?: string | Date },
    options?: CallOptions,
  ): Paged<InstanceAction> {
    return this.client.list({ path: path`/servers/${id}/os-instance-actions`, key: 'instanceActions', query }, options);
  }

  /** One action with its events. */
  action(id: string, requestId: string, options?: CallOptions): Promise<InstanceAction> {
    const url = path`/servers/${id}/os-instance-actions/${requestId}`;
    return this.client.json({ method: 'GET', path: url }, 'instanceAction', options);
  }

  private actionRequest(id: string) {
    return { method: 'POST', path: path`/servers/${id}/action` } as const;
  }
}

/** Metadata of a server: a map of strings. */
export class ServerMetadata {
  readonly #client: ServiceClient;

  constructor(client: ServiceClient) {
    this.#client = client;
  }

  get(id: string, options?: CallOptions): Promise<Record<string, string>> {
    return this.#client.json({ method: 'GET', path: path`/servers/${id}/metadata` }, 'metadata', options);
  }

  /** Sets these keys, leaves others. */
  merge(id: string, metadata: Record<string, string>, options?: CallOptions): Promise<Record<string, string>> {
    const url = path`/servers/${id}/metadata`;
    return this.#client.json({ method: 'POST', path: url, body: { metadata }, idempotent: true }, 'metadata', options);
  }

  /** Makes these the only keys. */
  replaceAll(id: string, metadata: Record<string, string>, options?: CallOptions): Promise<Record<string, string>> {
    return this.#client.json(
      { method: 'PUT', path: path`/servers/${id}/metadata`, body: { metadata } },
      'metadata',
      options,
    );
  }

  async remove(id: string, key: string, options?: CallOptions): Promise<void> {
    await this.#client.request({ method: 'DELETE', path: path`/servers/${id}/metadata/${key}` }, options);
  }
}

/** Volumes of a server. */
export class VolumeAttachments {
  readonly #client: ServiceClient;

  constructor(client: ServiceClient) {
    this.#client = client;
  }

  list(serverId: string, options?: CallOptions): Paged<VolumeAttachment> {
    return this.#client.list(
      { path: path`/servers/${serverId}/os-volume_attachments`, key: 'volumeAttachments' },
      options,
    );
  }

  get(serverId: string, volumeId: string, options?: CallOptions): Promise<VolumeAttachment> {
    const url = path`/servers/${serverId}/os-volume_attachments/${volumeId}`;
    return this.#client.json({ method: 'GET', path: url }, 'volumeAttachment', options);
  }

  attach(
    serverId: string,
    body: { volumeId: string; device?: string; tag?: string; delete_on_termination?: boolean },
    options?: CallOptions,
  ): Promise<VolumeAttachment> {
    const url = path`/servers/${serverId}/os-volume_attachments`;
    return this.#client.json(
      { method: 'POST', path: url, body: { volumeAttachment: body } },
      'volumeAttachment',
      options,
    );
  }

  async detach(serverId: string, volumeId: string, options?: CallOptions): Promise<void> {
    const url = path`/servers/${serverId}/os-volume_attachments/${volumeId}`;
    await this.#client.request({ method: 'DELETE', path: url }, options);
  }
}

/** Ports of a server. */
export class InterfaceAttachments {
  readonly #client: ServiceClient;

  constructor(client: ServiceClient) {
    this.#client = client;
  }

  list(serverId: string, options?: CallOptions): Paged<InterfaceAttachment> {
    return this.#client.list({ path: path`/servers/${serverId}/os-interface`, key: 'interfaceAttachments' }, options);
  }

  attach(
    serverId: string,
    body: { port_id?: string; net_id?: string; fixed_ips?: { ip_address: string }[]; tag?: string },
    options?: CallOptions,
  ): Promise<InterfaceAttachment> {
    const url = path`/servers/${serverId}/os-interface`;
    const request = { method: 'POST', path: url, body: { interfaceAttachment: body } } as const;
    return this.#client.json(request, 'interfaceAttachment', options);
  }

  async detach(serverId: string, portId: string, options?: CallOptions): Promise<void> {
    await this.#client.request({ method: 'DELETE', path: path`/servers/${serverId}/os-interface/${portId}` }, options);
  }
}
