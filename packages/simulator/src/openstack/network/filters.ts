import { isObject, type Json } from '../../core/message.ts';
import { badRequest } from './errors.ts';
import type { NetRow } from './state.ts';

/** A list's query, and the attributes one may filter by. */
export interface Filter {
  query: URLSearchParams;
  known: Set<string>;
}

const control = new Set(['fields', 'limit', 'marker', 'page_reverse', 'sort_key', 'sort_dir', 'verbose']);

/** Whether a row fits every filter of the query; 400 for a filter on an unknown attribute. */
export function keeps(filter: Filter, row: NetRow, view: () => Json): boolean {
  let seen: Json | undefined;
  for (const key of new Set(filter.query.keys())) {
    if (control.has(key)) continue;
    const values = filter.query.getAll(key);
    if (key === 'tags' || key === 'tags-any' || key === 'not-tags' || key === 'not-tags-any') {
      if (
        !tagsFit(
          key,
          row.tags,
          values.flatMap((v) => v.split(',')),
        )
      )
        return false;
      continue;
    }
    if (key === 'changed_since') {
      if (row.updated_at < values[0]!.replace(/([^Z])$/, '$1Z')) return false;
      continue;
    }
    seen ??= view();
    if (!(key in seen) && !filter.known.has(key)) throw badRequest(`['${key}'] is invalid attribute for filtering`);
    if (!values.some((v) => valueFits(seen![key], v))) return false;
  }
  return true;
}

function tagsFit(key: string, have: string[], wanted: string[]): boolean {
  const all = wanted.every((t) => have.includes(t));
  const any = wanted.some((t) => have.includes(t));
  return key === 'tags' ? all : key === 'tags-any' ? any : key === 'not-tags' ? !all : !any;
}

function valueFits(value: unknown, wanted: string): boolean {
  if (typeof value === 'boolean') return value === (wanted.toLowerCase() === 'true' || wanted === '1');
  if (value === null || value === undefined) return wanted === '' || wanted === 'None' || wanted === 'null';
  if (Array.isArray(value)) {
    return value.some((item) => {
      if (!isObject(item)) return String(item) === wanted;
      const at = wanted.indexOf('=');
      const field = wanted.slice(0, at);
      const text = wanted.slice(at + 1);
      return field === 'ip_address_substr' ? String(item.ip_address).includes(text) : String(item[field]) === text;
    });
  }
  return String(value) === wanted;
}
