import { asList, type Page } from '../operations/list.ts';
import type { Target } from '../operations/target.ts';
import { cellsOf } from '../table/table.ts';
import type { Json, KubeObject } from '../types.ts';
import type { Shown } from './accept.ts';
import { type Exchange, shown } from './exchange.ts';
import { send } from './respond.ts';

const partial = (object: KubeObject): Json => ({
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  metadata: object.metadata,
});

function table(x: Exchange, target: Target, objects: KubeObject[], metadata: Json, withColumns: boolean): Json {
  const include = x.info.query.get('includeObject') ?? 'Metadata';
  const nowMs = x.core.clock.now();
  const rows = objects.map((object) => ({
    cells: cellsOf(target, object, nowMs),
    ...(include === 'None' ? {} : { object: include === 'Object' ? object : partial(object) }),
  }));
  const columnDefinitions = withColumns ? target.version.columns.map(({ jsonPath: _, ...c }) => c) : [];
  return { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata, columnDefinitions, rows };
}

/** One object in the form that the client asked for. */
export function showObject(x: Exchange, target: Target, object: KubeObject, form: Shown, withColumns = true): Json {
  if (form.as === 'table')
    return table(x, target, [object], { resourceVersion: object.metadata.resourceVersion }, withColumns);
  return form.as === 'partial' ? partial(object) : object;
}

/** A page of a list in the form that the client asked for. */
export function showPage(x: Exchange, target: Target, page: Page, form: Shown): Json {
  if (form.as === 'table') return table(x, target, page.items, page.metadata, true);
  if (form.as === 'partial')
    return {
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata: page.metadata,
      items: page.items.map(partial),
    };
  return asList(target, page);
}

/** Answers with one object. */
export function sendObject(x: Exchange, target: Target, code: number, object: KubeObject): void {
  const form = shown(x);
  send(x.response, code, showObject(x, target, object, form), form.yaml);
}

/** What a finished deletion answers. */
export const deleteStatus = (target: Target, object: KubeObject): Json => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  details: {
    name: object.metadata.name,
    ...(target.type.group === '' ? {} : { group: target.type.group }),
    kind: target.type.plural,
    uid: object.metadata.uid,
  },
});
