import { RegistryError } from './error.ts';
import { type Ask, type Desk, json, type Reply } from './message.ts';
import { isDigest } from './names.ts';

/** So many repositories are named at once where nobody asks for a number. */
const PAGE = 100;
const MAX_PAGE = 1000;
const INDEX = 'application/vnd.oci.image.index.v1+json';

/** @param told - what is said of a number that is none */
function sizeAsked(ask: Ask, told: (n: string) => unknown): number | undefined {
  const n = ask.query.get('n');
  if (!n) return undefined;
  if (!/^\d+$/.test(n)) throw new RegistryError('PAGINATION_NUMBER_INVALID', { n: told(n) });
  return Number(n);
}

const after = (ask: Ask, names: string[]): string[] => names.filter((n) => n > (ask.query.get('last') ?? ''));

function linkTo(ask: Ask, last: string, size: number): Record<string, string> {
  const query = new URLSearchParams([
    ['last', last],
    ['n', String(size)],
  ]);
  return { Link: `<${ask.url.split('?')[0]}?${query}>; rel="next"` };
}

/** `GET /v2/_catalog`: repositories that have, or had, manifests. */
export async function listCatalog(desk: Desk, ask: Ask): Promise<Reply> {
  const size = sizeAsked(ask, (n) => n) ?? PAGE;
  if (size > MAX_PAGE) throw new RegistryError('PAGINATION_NUMBER_INVALID', { n: size });
  const rest = after(ask, desk.repositories.names());
  const names = rest.slice(0, size);
  const isMore = size > 0 && rest.length > size;
  return json(200, { repositories: names }, isMore ? linkTo(ask, names.at(-1)!, size) : {});
}

/** `GET .../tags/list`. A full page always leads to a next one, as with other registries. */
export async function listTags(desk: Desk, ask: Ask): Promise<Reply> {
  const size = sizeAsked(ask, () => 0);
  const repository = desk.repositories.get(ask.name);
  if (!repository?.hasManifests) throw new RegistryError('NAME_UNKNOWN', { name: ask.name });
  const tags = after(ask, [...repository.tags.keys()].sort()).slice(0, size);
  const isFull = size !== undefined && size > 0 && tags.length === size;
  return json(200, { name: ask.name, tags }, isFull ? linkTo(ask, tags.at(-1)!, size) : {});
}

/** `GET .../referrers/<digest>`: an index of the manifests whose subject that is; empty where there are none. */
export async function listReferrers(desk: Desk, ask: Ask): Promise<Reply> {
  if (!isDigest(ask.reference)) throw new RegistryError('DIGEST_INVALID', `${ask.reference} is no digest`);
  const wanted = ask.query.get('artifactType');
  const manifests = [...(desk.repositories.get(ask.name)?.manifests ?? [])]
    .filter(([, m]) => m.subject === ask.reference && (!wanted || m.artifactType === wanted))
    .map(([digest, { mediaType, size, artifactType, annotations }]) => ({
      mediaType,
      digest,
      size,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(annotations ? { annotations } : {}),
    }));
  return json(
    200,
    { schemaVersion: 2, mediaType: INDEX, manifests },
    {
      'Content-Type': INDEX,
      ...(wanted ? { 'OCI-Filters-Applied': 'artifactType' } : {}),
    },
  );
}
