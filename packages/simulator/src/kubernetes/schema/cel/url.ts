import type { Environment } from '@marcbachmann/cel-js';

/** A URL as Kubernetes' rules see it. */
class CelUrl {
  readonly text: string;
  readonly parsed: URL | undefined;
  constructor(text: string) {
    this.text = text;
    // An absolute path alone is a URL too, with neither scheme nor host.
    this.parsed = text.startsWith('/') ? new URL(text, 'path://host') : new URL(text);
  }
  get isPath(): boolean {
    return this.text.startsWith('/');
  }
  toString(): string {
    return this.text;
  }
}

const isUrl = (text: string): boolean =>
  (text.startsWith('/') && !/\s/.test(text)) || (/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\//.test(text) && URL.canParse(text));

/** Kubernetes' URL library: url, isURL, getScheme, getHost, getHostname, getPort, getEscapedPath, getQuery. */
export function registerUrlFunctions(environment: Environment): void {
  environment.registerType('kubernetes.URL', { ctor: CelUrl, fields: {} });
  const host = (url: CelUrl): string => /^[^:]+:\/\/(?:[^@/]*@)?([^/?#]*)/.exec(url.text)?.[1] ?? '';
  environment
    .registerOperator('kubernetes.URL == kubernetes.URL', (a: CelUrl, b: CelUrl) => a.text === b.text)
    .registerFunction('isURL(string): bool', isUrl)
    .registerFunction('url(string): kubernetes.URL', (text: string) => {
      if (!isUrl(text)) throw new Error(`URL parse error during conversion from string: parse ${JSON.stringify(text)}`);
      return new CelUrl(text);
    })
    .registerFunction('kubernetes.URL.getScheme(): string', (url: CelUrl) =>
      url.isPath ? '' : (url.parsed?.protocol.slice(0, -1) ?? ''),
    )
    .registerFunction('kubernetes.URL.getHost(): string', (url: CelUrl) => (url.isPath ? '' : host(url)))
    .registerFunction('kubernetes.URL.getHostname(): string', (url: CelUrl) =>
      url.isPath
        ? ''
        : host(url)
            .replace(/:\d*$/, '')
            .replace(/^\[|\]$/g, ''),
    )
    .registerFunction('kubernetes.URL.getPort(): string', (url: CelUrl) => /:(\d+)$/.exec(host(url))?.[1] ?? '')
    .registerFunction('kubernetes.URL.getEscapedPath(): string', (url: CelUrl) =>
      url.isPath ? url.text.replace(/[?#].*$/, '') : (/^[^:]+:\/\/[^/?#]*([^?#]*)/.exec(url.text)?.[1] ?? ''),
    )
    .registerFunction('kubernetes.URL.getQuery(): map<string, list<string>>', (url: CelUrl) => {
      const query: Record<string, string[]> = {};
      for (const [key, value] of url.parsed?.searchParams ?? []) {
        query[key] ??= [];
        query[key].push(value);
      }
      return query;
    });
}
