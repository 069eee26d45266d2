import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import { DESCRIBED } from './describe.ts';
import { KINDS } from './read.ts';

/** Words that may follow what was typed so far: commands, kinds, names, options. */
function words(program: Command): { path: string; words: string[] }[] {
  const kinds: Record<string, string[]> = {
    get: KINDS,
    describe: DESCRIBED,
    wait: ['cluster'],
    completion: ['bash', 'zsh', 'fish'],
  };
  const out: { path: string; words: string[] }[] = [];
  const walk = (c: Command, path: string): void => {
    const options = c.options.map((o) => o.long).filter((l): l is string => l !== undefined && l !== null);
    const after = [...options, '--help'];
    out.push({ path, words: [...c.commands.map((x) => x.name()), ...(kinds[path] ?? []), ...after] });
    // What was typed after the kind of a thing: options may still follow.
    for (const kind of [...(kinds[path] ?? []), ...(path === 'get' ? ['cluster', 'template'] : [])])
      out.push({ path: `${path} ${kind}`, words: after });
    for (const sub of c.commands) walk(sub, path === '' ? sub.name() : `${path} ${sub.name()}`);
  };
  walk(program, '');
  return out;
}

/** Commands whose next word is the name of a cluster. */
const CLUSTERS = [
  'describe cluster',
  'describe addon',
  'delete cluster',
  'delete pool',
  'delete addon',
  'create addon',
  'set addon',
  'retry addon',
  'create pool',
  'set cluster',
  'set pool',
  'scale',
  'upgrade cluster',
  'pause cluster',
  'resume cluster',
  'wait cluster',
  'get cluster',
  'get clusters',
  'kubeconfig',
  'events',
];
/** Whose names may follow: by what `shoto get` calls them, after which commands. */
const NAMES = { clusters: CLUSTERS, templates: ['describe template', 'get template', 'get templates'] };

/** Options that take a value, which is no command. */
function valued(program: Command): string[] {
  const own = program.options.filter((o) => o.required || o.optional).flatMap((o) => [o.long, o.short]);
  const given = own.filter((o): o is string => o !== undefined && o !== null);
  return [...new Set([...given, ...program.commands.flatMap(valued)])].sort();
}

const quoted = (paths: string[]): string => paths.map((p) => `"${p}"`).join(' | ');

const bash = (program: Command): string => `# shoto completion for bash: eval "$(shoto completion bash)"
_shoto() {
  local cur=\${COMP_WORDS[COMP_CWORD]} path= named= skip= next w
  for w in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ -n "$skip" ]; then skip=; continue; fi
    case $w in
      ${valued(program).join(' | ')}) skip=1; continue ;;
      -*) continue ;;
    esac
    next="\${path:+$path }$w"
    case "$next" in
      ${quoted(words(program).flatMap(({ path }) => (path === '' ? [] : [path])))}) path=$next ;;
      *) named=1 ;;
    esac
  done
  if [ -n "$skip" ]; then COMPREPLY=(); return; fi
  local words=
  case "$path" in
${words(program)
  .map(({ path, words: w }) => `    "${path}") words="${w.join(' ')}" ;;`)
  .join('\n')}
  esac
  case "$named:$path" in
${Object.entries(NAMES)
  .map(
    ([kind, paths]) =>
      `    ${quoted(paths.map((n) => `:${n}`))}) words="$words $(shoto get ${kind} -o name 2>/dev/null | sed 's,^[a-z]*/,,')" ;;`,
  )
  .join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _shoto shoto
`;

const zsh = (program: Command): string => `#compdef shoto
# shoto completion for zsh: eval "$(shoto completion zsh)"
autoload -U +X bashcompinit && bashcompinit
${bash(program)}`;

const fish = (program: Command): string => `# shoto completion for fish: shoto completion fish | source
complete -c shoto -f
${words(program)
  .flatMap(({ path, words: w }) =>
    w
      .filter((x) => !x.startsWith('-'))
      .map((x) => `complete -c shoto -n 'test (string join " " (commandline -opc)[2..]) = "${path}"' -a '${x}'`),
  )
  .join('\n')}
${Object.entries(NAMES)
  .flatMap(([kind, paths]) =>
    paths.map(
      (n) =>
        `complete -c shoto -n 'test (string join " " (commandline -opc)[2..]) = "${n}"' -a '(shoto get ${kind} -o name 2>/dev/null | string replace -r "^[a-z]*/" "")'`,
    ),
  )
  .join('\n')}
`;

/** `shoto completion`. */
export function completionCommand(program: Command, c: Context): void {
  program
    .command('completion')
    .description('print completion for a shell: bash, zsh or fish')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText('after', '\nExamples:\n  eval "$(shoto completion bash)"\n  shoto completion fish | source')
    .action((shell: string) => {
      const make = { bash, zsh, fish }[shell];
      if (!make)
        throw new CliError(EXIT.usage, `there is no completion for ${JSON.stringify(shell)}: choose bash, zsh or fish`);
      c.out.write(make(program));
    });
}
