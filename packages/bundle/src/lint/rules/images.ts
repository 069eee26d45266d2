import { nameOf } from '../../render/object.ts';
import type { LintContext } from '../context.ts';
import type { Raw } from '../finding.ts';
import { containersOf, podOf } from '../pods.ts';

interface Image {
  name: string;
  tag?: string | undefined;
  digest?: string | undefined;
}

/** Reads a reference to an image, as container runtimes do. */
export function imageOf(reference: string): Image {
  const [, rest = reference, digest] = /^(.*?)(?:@(sha256:[0-9a-f]{64}))?$/.exec(reference) ?? [];
  const [, name = rest, tag] = /^(.*?)(?::([\w][\w.-]*))?$/.exec(rest) ?? [];
  return { name, tag, digest };
}

const under = (prefix: string, name: string): boolean =>
  name === prefix || name.startsWith(`${prefix.replace(/\/$/, '')}/`);

/** Images: by digest, listed in `images`, and where a mirror is given from there. */
export function images(c: LintContext): Raw[] {
  const found: Raw[] = [];
  const repository = String(c.facts.imageRepository ?? '');
  const listed = c.bundle.manifest.images.map((l) => ({
    ...l,
    name: l.name.replace(/\{\{\s*facts\.imageRepository\s*\}\}/, repository),
  }));
  const used = new Set<number>();
  for (const s of c.subjects) {
    const pod = podOf(s.object);
    if (!pod) continue;
    for (const { container, path, name } of containersOf(pod)) {
      const text = container.image;
      if (typeof text !== 'string') continue;
      const say = (rule: string, severity: Raw['severity'], message: string, fix: string) =>
        found.push({
          rule,
          severity,
          at: s.at,
          path: [...path, 'image'],
          message: `${nameOf(s.object)}, container ${name}: ${message}`,
          fix,
        });
      const image = imageOf(text);
      const i = listed.findIndex((l) => l.name === image.name && (image.tag === undefined || l.tag === image.tag));
      used.add(i);
      // What the release's own repository holds is the release's affair, and it is the mirror.
      const isOfRelease = repository !== '' && under(repository, image.name);
      if (!image.digest && (image.tag === undefined || image.tag === 'latest'))
        say('image-tag', 'error', `${text} is whatever is newest on the day that a node fetches it`, 'name a version');
      else if (!image.digest && !listed[i]?.digest && !isOfRelease)
        say(
          'image-digest',
          'warning',
          `${text} has no digest: its registry may give other content tomorrow`,
          `add it to images in bundle.yaml with its digest, or write ${image.name}@sha256:...`,
        );
      if (i < 0)
        say(
          'image-listed',
          'warning',
          `${text} is not under images in bundle.yaml: who mirrors images will miss it`,
          `add { name: ${image.name}${image.tag ? `, tag: ${image.tag}` : ''} }`,
        );
      if (c.mirrors.length > 0 && !isOfRelease && !c.mirrors.some((m) => under(m, image.name)))
        say(
          'image-mirror',
          'error',
          `${text} is outside of the mirror ${c.mirrors.join(', ')}`,
          'use the copy in the mirror, for example by a value or {{facts.imageRepository}}',
        );
    }
  }
  listed.forEach((l, i) => {
    if (!used.has(i) && c.isWhole)
      found.push({
        rule: 'image-listed',
        severity: 'warning',
        at: { file: 'bundle.yaml' },
        path: ['images', i],
        message: `${l.name}${l.tag ? `:${l.tag}` : ''} is listed, and no container uses it`,
        fix: 'remove it, or mend its name and tag',
      });
  });
  return found;
}
