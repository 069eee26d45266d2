/** How an answer is to be shown. */
export interface Shown {
  as: 'object' | 'table' | 'partial' | 'discovery';
  /** Group version of the Table or PartialObjectMetadata. */
  metaVersion: string;
  yaml: boolean;
}

interface Range {
  type: string;
  parameters: Map<string, string>;
}

const ranges = (accept: string): Range[] =>
  accept.split(',').map((part) => {
    const [type = '', ...parameters] = part.split(';').map((p) => p.trim());
    return {
      type: type.toLowerCase(),
      parameters: new Map(parameters.map((p) => p.split('=').map((s) => s.trim()) as [string, string])),
    };
  });

/** The first form of an Accept header that can be served, or undefined. Protobuf cannot. */
export function negotiate(accept: string | undefined): Shown | undefined {
  if (!accept) return { as: 'object', metaVersion: '', yaml: false };
  for (const { type, parameters } of ranges(accept)) {
    const yaml = type === 'application/yaml';
    if (!yaml && type !== 'application/json' && type !== '*/*' && type !== 'application/*') continue;
    if (parameters.get('stream') !== undefined && parameters.get('stream') !== 'watch') continue;
    const as = parameters.get('as');
    const metaVersion = `${parameters.get('g')}/${parameters.get('v')}`;
    if (as === undefined) return { as: 'object', metaVersion: '', yaml };
    if (parameters.get('g') === 'meta.k8s.io' && parameters.get('v') === 'v1') {
      if (as === 'Table') return { as: 'table', metaVersion, yaml };
      if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')
        return { as: 'partial', metaVersion, yaml };
    }
    if (as === 'APIGroupDiscoveryList' && metaVersion === 'apidiscovery.k8s.io/v2')
      return { as: 'discovery', metaVersion, yaml };
  }
  return undefined;
}
