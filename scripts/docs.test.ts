import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** What is written for people must be true of the code, and the other way round. */

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

function filesBelow(dir: string, isWanted: (path: string) => boolean): string[] {
  return readdirSync(join(root, dir), { withFileTypes: true }).flatMap((e) => {
    const path = dir === '.' ? e.name : `${dir}/${e.name}`;
    if (e.isDirectory()) return /^(node_modules|dist|\..*)$/.test(e.name) ? [] : filesBelow(path, isWanted);
    return isWanted(path) ? [path] : [];
  });
}

const pages = filesBelow('.', (p) => p.endsWith('.md'));
const matches = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((m) => m[1]!);

/** A page's headings as GitHub makes anchors of them. */
const anchors = (page: string): string[] =>
  matches(read(page).replace(/^```[\s\S]*?^```/gm, ''), /^#+ (.+)$/gm).map((h) =>
    h
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );

describe('links of pages', () => {
  it.each(pages)('%s leads only to what is there', (page) => {
    const broken = matches(read(page), /\]\(([^)\s]+)\)/g)
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [file, anchor] = link.split('#') as [string, string | undefined];
        const target = file === '' ? join(root, page) : resolve(root, dirname(page), file);
        if (!existsSync(target)) return true;
        return anchor !== undefined && !anchors(target.slice(root.length)).includes(anchor);
      });
    expect(broken).toEqual([]);
  });
});

describe('commands in pages', () => {
  const targets = matches(read('Makefile'), /^([a-z][a-z0-9-]*):/gm);

  it('name make targets that exist', () => {
    const unknown = pages.flatMap((page) =>
      matches(read(page), /(?:`|^|&& )make ([a-z][a-z0-9-]*)/gm)
        .filter((t) => !targets.includes(t))
        .map((t) => `${page}: make ${t}`),
    );
    expect(unknown).toEqual([]);
  });

  it('name every make target that is for people', () => {
    const told = new Set(pages.flatMap((page) => matches(read(page), /(?:`|^|&& )make ([a-z][a-z0-9-]*)/gm)));
    const offered = matches(read('Makefile'), /^([a-z][a-z0-9-]*):.*## /gm).filter((t) => t !== 'help');
    expect(offered.filter((t) => !told.has(t))).toEqual([]);
  });
});

/** Source of services without what is only for tests. */
const sources = (services: string): { path: string; text: string }[] =>
  filesBelow(services, (p) => /\/src\/.*\.ts$/.test(p) && !/\.test\.ts$|\/testing\//.test(p)).map((path) => ({
    path,
    text: read(path),
  }));

/** How a reason is given in code, with the reason in the only group. */
const REASON = [
  /new (?:Terminal|Retryable|Waiting)Error\(\s*'([A-Z]\w+)'/g,
  /\b(?:good|bad)\(\s*[\w.]+,\s*'([A-Z]\w+)'/g,
  /\breason: '([A-Z]\w+)'/g,
  /\b(?:notJoined|say)\((?:\s*\w+,)+\s*'([A-Z]\w+)'/g,
  /\b(?:refuse|wait)\(\s*'([A-Z]\w+)'/g,
  /new Refusal\(\s*'([A-Z]\w+)'/g,
];

/** Every reason that services give in conditions, events, logs and check-ins. */
function reasonsInCode(): Set<string> {
  const services = ['provisioner', 'bootstrap-worker', 'addon-manager', 'self-healing'].map((s) => `services/${s}`);
  const texts = [...services.flatMap(sources), ...sources('packages/reconciler')].map((s) => s.text);
  const plain = texts.flatMap((text) => REASON.flatMap((pattern) => matches(text, pattern)));
  // The provisioner's look-up of images, flavors and networks makes its reasons of two parts.
  const ends = texts.flatMap((text) => matches(text, /`\$\{reason\}([A-Z]\w+)`/g));
  return new Set([...plain, ...ends.flatMap((end) => ['Image', 'Flavor', 'Network'].map((what) => what + end))]);
}

/** Reasons that a page's tables name, in their columns headed "reason" or "reasons". */
function reasonsInTables(text: string): string[] {
  const out: string[] = [];
  let column = -1;
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) {
      column = -1;
      continue;
    }
    const cells = line.split('|').slice(1, -1);
    if (column < 0) {
      const at = cells.findIndex((c) => /^\s*reasons?\s*$/.test(c));
      column = at < 0 ? cells.length : at;
    } else if (column < cells.length) out.push(...matches(cells[column]!, /`([A-Z][A-Za-z]+)`/g));
  }
  return out;
}

describe('reasons', () => {
  const told = ['docs/sre.md', 'docs/conditions-provisioner.md', 'docs/conditions-self-healing.md', 'docs/check-in.md']
    .map(read)
    .join('\n\n');
  const inCode = reasonsInCode();

  it('of services are found in code at all', () => {
    expect([...inCode]).toEqual(
      expect.arrayContaining([
        'QuotaExceeded',
        'ImageNotFound',
        'StepFailed',
        'TicketUsed',
        'RollingOut',
        'NodeSilent',
      ]),
    );
  });

  it('that a service gives are explained in the pages for SREs', () => {
    expect([...inCode].filter((r) => !told.includes(`\`${r}\``)).sort()).toEqual([]);
  });

  it('that the pages for SREs explain are given by a service', () => {
    // Types of conditions that stand in a table of reasons.
    const types = ['ServerReady'];
    // What is wrong with a bundle, a plan of addons or a registry is passed on under its own reason.
    const passedOn = filesBelow('packages/bundle/src', (p) => p.endsWith('.ts') && !p.endsWith('.test.ts'))
      .map(read)
      .join('\n');
    expect(
      reasonsInTables(told)
        .filter((r) => !inCode.has(r) && !types.includes(r) && !passedOn.includes(`'${r}'`))
        .sort(),
    ).toEqual([]);
  });

  it('of the REST API stand in the guide for service teams, and back', () => {
    const text = sources('services/cluster-api')
      .map((s) => s.text)
      .join('\n');
    const given = new Set([
      ...matches(text, /new ProblemError\(\s*[\w.]+,\s*'([A-Z]\w+)'/g),
      ...matches(text, /\breason \?\? '([A-Z]\w+)'/g),
      // Passed on as it comes from bootstrap-worker.
      'ControlPlaneNotReady',
    ]);
    const guide = reasonsInTables(read('docs/service-teams.md'));
    expect([...new Set(guide)].sort()).toEqual([...given].sort());
  });
});

describe('environment variables', () => {
  it('of every service stand in the guide for operators, and back', () => {
    const configs = filesBelow('services', (p) => p.endsWith('/src/config.ts')).concat(
      'packages/service/src/config.ts',
    );
    const read_ = new Set(configs.flatMap((p) => matches(read(p), /^\s+(SHOTO_[A-Z_]+):/gm)));
    const documented = new Set(matches(read('docs/operating.md'), /`(SHOTO_[A-Z_]+)`/g));
    expect([...documented].sort()).toEqual([...read_].sort());
  });
});
