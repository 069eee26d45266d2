import type { Query } from '../types.ts';

/** Filters whose lists are one value with commas; all other lists are repeated keys. */
const COMMA_SEPARATED = new Set(['tags', 'tags-any', 'not-tags', 'not-tags-any', 'member_of', 'required', 'resources']);

/** Adds the query's parameters to the URL. Dates become ISO 8601. */
export function addQuery(url: URL, query: Query | undefined): URL {
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined || value === null) continue;
    if (value instanceof Date) url.searchParams.set(name, value.toISOString());
    else if (typeof value !== 'object') url.searchParams.set(name, String(value));
    else if (COMMA_SEPARATED.has(name)) url.searchParams.set(name, value.join(','));
    else for (const one of value) url.searchParams.append(name, String(one));
  }
  return url;
}

/** The parameters of a link's URL, absolute or relative; a name that comes more than once becomes a list. */
export function queryOfLink(href: string): Query {
  const query: Record<string, string | string[]> = {};
  for (const name of new Set(new URL(href, 'http://link.invalid').searchParams.keys())) {
    const values = new URL(href, 'http://link.invalid').searchParams.getAll(name);
    query[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return query;
}

/** A path of which every value is encoded: path`/servers/${id}/tags/${tag}`. */
export function path(parts: TemplateStringsArray, ...values: string[]): string {
  return parts.reduce(
    (all, part, i) => all + part + (i < values.length ? encodeURIComponent(values[i] ?? '') : ''),
    '',
  );
}
