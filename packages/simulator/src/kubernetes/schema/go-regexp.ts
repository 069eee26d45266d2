/**
 * A JavaScript expression that means what Go's regexp package means by `pattern`: leading flags `(?i)`, `(?s)`, `(?m)`,
 * `\A`, `\z`, `\Q..\E`, POSIX classes and `(?P<name>..)` are translated. Text is matched by code point.
 *
 * @throws {SyntaxError} when the pattern is not a valid expression
 */
export function goRegExp(pattern: string, extraFlags = ''): RegExp {
  let flags = extraFlags;
  let source = pattern;
  const leading = /^\(\?([ims]+)\)/.exec(source);
  if (leading) {
    flags += leading[1];
    source = source.slice(leading[0].length);
  }
  source = source
    .replace(/\\Q([\s\S]*?)(\\E|$)/g, (_all, text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
    .replace(/\(\?P</g, '(?<')
    .replace(/\\A/g, '^')
    .replace(/\\z/g, '$')
    .replace(/\[:(\w+):\]/g, (all, name: string) => POSIX[name] ?? all);
  try {
    return new RegExp(source, unique(`${flags}u`));
  } catch {
    // Without the u flag JavaScript takes escapes of plain characters (`\-`, `\_`) as Go does.
    return new RegExp(source, unique(flags));
  }
}

const POSIX: Record<string, string> = {
  alpha: 'a-zA-Z',
  alnum: 'a-zA-Z0-9',
  digit: '0-9',
  lower: 'a-z',
  upper: 'A-Z',
  space: '\\s',
  word: '\\w',
  xdigit: '0-9a-fA-F',
  punct: '!-\\/:-@\\[-`{-~',
};

const unique = (flags: string): string => [...new Set(flags)].join('');
