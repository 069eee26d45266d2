import { type Answer, ApiError, type Call, type Json } from '../../core/message.ts';
import type { Auth, Cloud } from '../cloud.ts';
import { imageView } from './attributes.ts';

type Comparison = (a: number, b: number) => boolean;
const comparisons: Record<string, Comparison> = {
  gt: (a, b) => a > b,
  gte: (a, b) => a >= b,
  lt: (a, b) => a < b,
  lte: (a, b) => a <= b,
  eq: (a, b) => a === b,
  neq: (a, b) => a !== b,
};

/** Whether a time fits `gte:2026-01-01T00:00:00Z`; a bare time is meant exactly. */
function fitsTime(at: number, wanted: string): boolean {
  const [, operator = 'eq', text = ''] = /^(?:([a-z]+):)?(.*)$/.exec(wanted) ?? [];
  // Times count in whole seconds, as they are shown.
  const limit = Date.parse(text);
  const compare = comparisons[operator];
  if (!compare || Number.isNaN(limit)) throw new ApiError(400, `Invalid time stamp: ${wanted}`);
  return compare(Math.floor(at / 1000), Math.floor(limit / 1000));
}

/** GET /v2/images with its filters, order and pages. */
export function listImages(cloud: Cloud, call: Call, auth: Auth): Answer {
  const q = call.query;
  const visibility = q.get('visibility');
  let rows = [...cloud.image.images.values()].filter((i) => {
    if (!cloud.image.mayRead(i, auth)) return false;
    // Community images show only when asked for.
    if (
      i.visibility === 'community' &&
      visibility !== 'community' &&
      visibility !== 'all' &&
      i.owner !== auth.projectId
    )
      return false;
    const view = imageView(i);
    if (i.hidden !== (q.get('os_hidden')?.toLowerCase() === 'true')) return false;
    for (const [key, value] of q) {
      if (['limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'os_hidden', 'member_status'].includes(key)) continue;
      if (key === 'tag') {
        if (!i.tags.includes(value)) return false;
      } else if (key === 'visibility') {
        if (value !== 'all' && i.visibility !== value) return false;
      } else if (key === 'size_min' || key === 'size_max') {
        if (key === 'size_min' ? (i.size ?? 0) < Number(value) : (i.size ?? 0) > Number(value)) return false;
      } else if (key === 'created_at' || key === 'updated_at') {
        if (!fitsTime(key === 'created_at' ? i.createdAt : i.updatedAt, value)) return false;
      } else if (value.startsWith('in:')) {
        if (!value.slice(3).split(',').includes(String(view[key]))) return false;
      } else if (String(view[key] ?? '') !== value && String(view[key]).toLowerCase() !== value.toLowerCase())
        return false;
    }
    return true;
  });
  const [sortKey, sortDir] = (q.get('sort') ?? '').split(',')[0]!.split(':');
  const key = sortKey || q.get('sort_key') || 'created_at';
  const dir = (sortDir || q.get('sort_dir')) === 'asc' ? 1 : -1;
  rows.sort((a, b) => {
    const [x, y] = [imageView(a)[key] ?? '', imageView(b)[key] ?? ''] as [string, string];
    return (x < y ? -1 : x > y ? 1 : a.id < b.id ? -1 : 1) * dir;
  });
  const marker = q.get('marker');
  if (marker) {
    const at = rows.findIndex((i) => i.id === marker);
    if (at < 0) throw new ApiError(400, `Invalid marker. Image could not be found.`);
    rows = rows.slice(at + 1);
  }
  const limit = Math.min(1000, Number(q.get('limit') ?? 25));
  const page = rows.slice(0, limit);
  const out: Json = { images: page.map(imageView), first: '/v2/images', schema: '/v2/schemas/images' };
  if (page.length === limit && page.length > 0 && rows.length > limit) {
    const next = new URLSearchParams(q);
    next.set('marker', page.at(-1)!.id);
    out.next = `/v2/images?${next}`;
  }
  return { status: 200, json: out };
}
