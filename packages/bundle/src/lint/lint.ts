import { BundleError } from '../errors.ts';
import { type BundleContent, textOf } from '../format/content.ts';
import { pathText } from '../json.ts';
import { readYaml, type YamlDocument } from '../yaml.ts';
import { contextOf, type LintContext, type LintOptions } from './context.ts';
import type { Finding, Raw } from './finding.ts';
import { apiVersions, range } from './rules/api-versions.ts';
import { crds } from './rules/crds.ts';
import { fields } from './rules/fields.ts';
import { health } from './rules/health.ts';
import { images } from './rules/images.ts';
import { limits } from './rules/limits.ts';
import { privileged } from './rules/privileged.ts';
import { rbac } from './rules/rbac.ts';
import { secrets } from './rules/secrets.ts';
import { values } from './rules/values.ts';

const RULES: ((c: LintContext) => Raw[])[] = [
  range,
  apiVersions,
  fields,
  crds,
  values,
  secrets,
  privileged,
  rbac,
  images,
  limits,
  health,
];

/** Looks a bundle over for what breaks people. Errors first, then in order of files. */
export async function lint(bundle: BundleContent, o: LintOptions): Promise<Finding[]> {
  const { context, found } = await contextOf(bundle, o);
  const documents = new Map<string, YamlDocument[]>();
  const readAs = (file: string): YamlDocument[] => {
    let read = documents.get(file);
    if (!read) {
      try {
        read = readYaml(textOf(bundle.files, file), file);
      } catch (e) {
        // A file that is made by rendering, or broken, which is a finding of its own.
        if (!(e instanceof BundleError)) throw e;
        read = [];
      }
      documents.set(file, read);
    }
    return read;
  };
  const placed = ({ at, path = [], ...rest }: Raw): Finding => {
    const document = readAs(at.file).find((d) => d.document === (at.document ?? 1));
    const line = at.line ?? document?.locate(path).line;
    return {
      rule: rest.rule,
      severity: rest.severity,
      file: at.file,
      ...(at.document === undefined ? {} : { document: at.document }),
      ...(line === undefined ? {} : { line }),
      ...(path.length > 0 ? { path: pathText(path) } : {}),
      message: rest.message,
      fix: rest.fix,
    };
  };
  const all = [...found, ...RULES.flatMap((rule) => rule(context))].map(placed);
  const rank = (f: Finding) => (f.severity === 'error' ? 0 : 1);
  return all.sort(
    (a, b) => rank(a) - rank(b) || (a.file < b.file ? -1 : a.file > b.file ? 1 : (a.line ?? 0) - (b.line ?? 0)),
  );
}
