/** Writes one CRD a kind into `crds/`. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { crdOf, GROUP, KINDS } from '../src/index.ts';

const out = fileURLToPath(new URL('../../../crds/', import.meta.url));
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
for (const kind of KINDS)
  writeFileSync(
    `${out}${GROUP}_${kind.plural}.yaml`,
    `# Generated from packages/api: do not edit; \`make verify\` checks it.\n${stringify(crdOf(kind), { lineWidth: 0, aliasDuplicateObjects: false })}`,
  );
