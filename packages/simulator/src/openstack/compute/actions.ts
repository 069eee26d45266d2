import { type Answer, ApiError, type Call, isObject, type Json, jsonBody } from '../../core/message.ts';
import type { Auth, Cloud } from '../cloud.ts';
import { touch } from '../network/collection.ts';
import { checkMetadata, microversion, policy, schemaError } from './dialect.ts';
import { findFlavor } from './flavors.ts';
import { change, destroy, endAction, powerOn, startAction } from './lifecycle.ts';
import { findGroup } from './security.ts';
import type { Server } from './state.ts';
import { serverJson } from './views.ts';

interface Action {
  /** vm states it may start from. */
  from: string[];
  /** Nova's name of the action in its complaint. */
  label: string;
  task: string;
  operation: string;
  /** What is true when it is done. */
  done: Partial<Server>;
  act?: (cloud: Cloud, s: Server) => void;
}

const slow: Record<string, Action> = {
  'os-stop': {
    from: ['active', 'error'],
    label: 'stop',
    task: 'powering-off',
    operation: 'nova.server.stop',
    done: { status: 'SHUTOFF', vmState: 'stopped', powerState: 4 },
    act: (c, s) => c.hypervisor.powerOff(s.id, 'soft'),
  },
  'os-start': {
    from: ['stopped'],
    label: 'start',
    task: 'powering-on',
    operation: 'nova.server.start',
    done: { status: 'ACTIVE', vmState: 'active', powerState: 1 },
    act: powerOn,
  },
  pause: {
    from: ['active'],
    label: 'pause',
    task: 'pausing',
    operation: 'nova.server.pause',
    done: { status: 'PAUSED', vmState: 'paused', powerState: 3 },
  },
  unpause: {
    from: ['paused'],
    label: 'unpause',
    task: 'unpausing',
    operation: 'nova.server.unpause',
    done: { status: 'ACTIVE', vmState: 'active', powerState: 1 },
  },
  suspend: {
    from: ['active'],
    label: 'suspend',
    task: 'suspending',
    operation: 'nova.server.suspend',
    done: { status: 'SUSPENDED', vmState: 'suspended', powerState: 4 },
  },
  resume: {
    from: ['suspended'],
    label: 'resume',
    task: 'resuming',
    operation: 'nova.server.resume',
    done: { status: 'ACTIVE', vmState: 'active', powerState: 1 },
  },
  shelve: {
    from: ['active', 'stopped', 'paused', 'suspended'],
    label: 'shelve',
    task: 'shelving',
    operation: 'nova.server.shelve',
    done: { status: 'SHELVED_OFFLOADED', vmState: 'shelved_offloaded', powerState: 4 },
    act: (c, s) => c.hypervisor.powerOff(s.id, 'hard'),
  },
  unshelve: {
    from: ['shelved', 'shelved_offloaded'],
    label: 'unshelve',
    task: 'unshelving',
    operation: 'nova.server.unshelve',
    done: { status: 'ACTIVE', vmState: 'active', powerState: 1 },
    act: powerOn,
  },
  rescue: {
    from: ['active', 'stopped', 'error'],
    label: 'rescue',
    task: 'rescuing',
    operation: 'nova.server.rescue',
    done: { status: 'RESCUE', vmState: 'rescued', powerState: 1 },
  },
  unrescue: {
    from: ['rescued'],
    label: 'unrescue',
    task: 'unrescuing',
    operation: 'nova.server.unrescue',
    done: { status: 'ACTIVE', vmState: 'active', powerState: 1 },
  },
};

/** POST /servers/{id}/action. */
export function runAction(cloud: Cloud, call: Call, auth: Auth, s: Server): Answer {
  const body = jsonBody(call, 'Malformed request body');
  const name = Object.keys(body)[0] ?? '';
  const args: Json = isObject(body[name]) ? body[name] : {};
  const minor = microversion(call);
  if (s.locked && !auth.isAdmin && !['unlock', 'lock', 'os-getConsoleOutput', 'createImage'].includes(name))
    throw new ApiError(409, `Instance ${s.id} is locked`);
  const action = slow[name];
  if (action) {
    work(cloud, s, action, call, auth);
    if (name === 'rescue') return { status: 200, json: { adminPass: cloud.ids.hex(12) } };
    return { status: 202 };
  }
  switch (name) {
    case 'reboot': {
      const type = String(args.type ?? '').toUpperCase();
      if (type !== 'SOFT' && type !== 'HARD')
        throw schemaError(
          'type',
          args.type,
          `'${String(args.type)}' is not one of ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']`,
        );
      const hard = type === 'HARD';
      work(
        cloud,
        s,
        {
          from: hard ? ['active', 'stopped', 'paused', 'suspended', 'error'] : ['active'],
          label: 'reboot',
          task: hard ? 'reboot_started_hard' : 'reboot_started',
          operation: 'nova.server.reboot',
          done: { status: 'ACTIVE', vmState: 'active', powerState: 1 },
          act: (c, row) => c.hypervisor.reboot(row.id, hard ? 'hard' : 'soft'),
        },
        call,
        auth,
      );
      return { status: 202 };
    }
    case 'lock':
      change(cloud, s, {
        locked: true,
        lockedReason: typeof args.locked_reason === 'string' ? args.locked_reason : null,
      });
      return { status: 202 };
    case 'unlock':
      change(cloud, s, { locked: false, lockedReason: null });
      return { status: 202 };
    case 'os-getConsoleOutput': {
      if (s.host === null) throw new ApiError(409, `Instance ${s.id} is not ready`);
      const lines = cloud.hypervisor.consoleLog(s.id);
      const length =
        args.length === null || args.length === undefined || Number(args.length) < 0
          ? lines.length
          : Number(args.length);
      return { status: 200, json: { output: length === 0 ? '' : lines.slice(-length).join('\n') } };
    }
    case 'forceDelete':
      destroy(cloud, s, startAction(cloud, s, 'delete', call.requestId, auth.userId));
      return { status: 202 };
    case 'restore':
      if (s.vmState !== 'soft-delete') throw wrongState(s, 'restore');
      powerOn(cloud, s);
      change(cloud, s, { status: 'ACTIVE', vmState: 'active', powerState: 1 });
      return { status: 202 };
    case 'rebuild':
      return rebuild(cloud, call, auth, s, args, minor);
    case 'resize': {
      const flavor = findFlavor(cloud, String(args.flavorRef), auth);
      if (!flavor) throw new ApiError(400, `Flavor ${String(args.flavorRef)} could not be found.`);
      if (flavor.id === s.flavor.id) throw new ApiError(400, 'When resizing, instances must change flavor!');
      const old = s.flavor;
      work(
        cloud,
        s,
        {
          from: ['active', 'stopped'],
          label: 'resize',
          task: 'resize_prep',
          operation: 'nova.server.resize',
          done: { status: 'VERIFY_RESIZE', vmState: 'resized', flavor },
        },
        call,
        auth,
      );
      cloud.compute.count(s.projectId, old, -1);
      cloud.compute.count(s.projectId, flavor, 1);
      resized.set(s, old);
      return { status: 202 };
    }
    case 'confirmResize':
      if (s.vmState !== 'resized') throw wrongState(s, 'confirmResize');
      change(cloud, s, { status: 'ACTIVE', vmState: 'active', taskState: null });
      return { status: 204 };
    case 'revertResize': {
      if (s.vmState !== 'resized') throw wrongState(s, 'revertResize');
      const old = resized.get(s) ?? s.flavor;
      cloud.compute.count(s.projectId, s.flavor, -1);
      cloud.compute.count(s.projectId, old, 1);
      change(cloud, s, { status: 'ACTIVE', vmState: 'active', taskState: null, flavor: old });
      return { status: 202 };
    }
    case 'changePassword':
      return { status: 202 };
    case 'addSecurityGroup':
    case 'removeSecurityGroup': {
      const wanted = String(args.name);
      const group = findGroup(cloud, wanted, s.projectId);
      if (!group) throw new ApiError(404, `Security group ${wanted} not found.`);
      for (const id of s.portIds) {
        const port = cloud.network.ports.get(id);
        if (!port) continue;
        const others = port.security_groups.filter((g) => g !== group.id);
        port.security_groups = name === 'addSecurityGroup' ? [...others, group.id] : others;
        touch(cloud, cloud.network.ports, port);
      }
      return { status: 202 };
    }
    case 'createImage': {
      const id = cloud.image.snapshotOf(cloud, s, String(args.name), auth);
      const headers = { Location: `${cloud.base}/image/v2/images/${id}` };
      return minor >= 45 ? { status: 202, headers, json: { image_id: id } } : { status: 202, headers };
    }
    case 'os-resetState':
      if (!auth.isAdmin) throw policy('os_compute_api:os-admin-actions:reset_state');
      change(
        cloud,
        s,
        args.state === 'active'
          ? { status: 'ACTIVE', vmState: 'active', taskState: null, fault: null }
          : { status: 'ERROR', vmState: 'error', taskState: null },
      );
      return { status: 202 };
    default:
      throw new ApiError(400, `There is no such action: ${name}`);
  }
}

/** Flavors to go back to if a resize is reverted. */
const resized = new WeakMap<Server, Server['flavor']>();

function wrongState(s: Server, label: string): ApiError {
  return new ApiError(409, `Cannot '${label}' instance ${s.id} while it is in vm_state ${s.vmState}`);
}

function work(cloud: Cloud, s: Server, action: Action, call: Call, auth: Auth): void {
  if (!action.from.includes(s.vmState)) throw wrongState(s, action.label);
  if (s.taskState !== null)
    throw new ApiError(409, `Cannot '${action.label}' instance ${s.id} while it is in task_state ${s.taskState}`);
  const entry = startAction(cloud, s, action.label, call.requestId, auth.userId);
  change(cloud, s, {
    taskState: action.task,
    ...(action.label === 'reboot' ? { status: action.task.endsWith('hard') ? 'HARD_REBOOT' : 'REBOOT' } : {}),
    ...(action.label === 'resize' ? { status: 'RESIZE' } : {}),
  });
  cloud.clock.setTimeout(() => {
    if (cloud.compute.servers.get(s.id) !== s || s.taskState !== action.task) return;
    change(cloud, s, { ...action.done, taskState: null, fault: null });
    action.act?.(cloud, s);
    endAction(cloud, entry);
  }, cloud.latency.sample(action.operation));
}

function rebuild(cloud: Cloud, call: Call, auth: Auth, s: Server, args: Json, minor: number): Answer {
  const imageId = String(args.imageRef ?? '')
    .split('/')
    .pop()!;
  const image = cloud.image.images.get(imageId);
  if (!image || !cloud.image.mayRead(image, auth)) throw new ApiError(400, 'Cannot find image for rebuild');
  const changes: Partial<Server> = { imageId };
  if (typeof args.name === 'string') changes.name = args.name;
  if (args.metadata !== undefined) changes.metadata = checkMetadata(args.metadata);
  if (minor >= 57 && (typeof args.user_data === 'string' || args.user_data === null)) changes.userData = args.user_data;
  work(
    cloud,
    s,
    {
      from: ['active', 'stopped', 'error'],
      label: 'rebuild',
      task: 'rebuilding',
      operation: 'nova.server.rebuild',
      done: { status: 'ACTIVE', vmState: 'active', powerState: 1 },
      act: (c, row) => {
        c.hypervisor.destroy(row.id);
        powerOn(c, row);
      },
    },
    call,
    auth,
  );
  change(cloud, s, { ...changes, status: 'REBUILD' });
  const inner = serverJson(cloud, s, minor, auth, { adminPass: cloud.ids.hex(12) });
  return {
    status: 202,
    headers: { Location: `${cloud.base}/compute/v2.1/servers/${s.id}` },
    text: `{"server":${inner}}`,
  };
}
