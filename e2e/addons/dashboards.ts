/** What a dashboard of Grafana says that is looked at here. */
export interface Dashboard {
  id?: number | null;
  uid: string;
  title: string;
  schemaVersion: number;
  panels: Panel[];
  templating: { list: Variable[] };
}

interface DataSourceReference {
  type: string;
  uid: string;
}

interface Panel {
  id: number;
  type: string;
  title: string;
  datasource?: DataSourceReference;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { datasource?: DataSourceReference; expr: string; legendFormat?: string; refId: string }[];
}

interface Variable {
  name: string;
  type: string;
  datasource?: DataSourceReference;
  query: { query: string };
  allValue?: string;
}

/** A question to Prometheus, with what stands in the legend of its answer. */
export interface Question {
  /** Dashboard and panel, or variable. */
  where: string;
  /** PromQL, with every variable at "All". */
  expr: string;
  /** Labels that the legend names. */
  legend: string[];
}

/**
 * What a dashboard asks.
 *
 * @throws Error for a variable that it does not define, or a query of a variable other than `label_values(METRIC, LABEL)`
 */
export function questionsOf(dashboard: Dashboard): Question[] {
  const variables = dashboard.templating.list;
  const panels = dashboard.panels.flatMap((panel) =>
    (panel.targets ?? []).map((target) => {
      const where = `${dashboard.title}: ${panel.title}`;
      const legend = [...(target.legendFormat ?? '').matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, label]) => label!);
      return { where, expr: atAll(target.expr, variables, where), legend };
    }),
  );
  const asked = variables.map((v) => {
    const where = `${dashboard.title}: variable ${v.name}`;
    const [, metric, label] = /^label_values\((.+), (\w+)\)$/.exec(v.query.query) ?? [];
    if (!metric || !label) throw new Error(`${where}: ${v.query.query} is not label_values(METRIC, LABEL)`);
    return { where, expr: `count by (${label}) (${atAll(metric, variables, where)})`, legend: [label] };
  });
  return [...panels, ...asked];
}

/** References to data sources, of panels, their targets and variables. */
export const referencesOf = (dashboard: Dashboard): (DataSourceReference | undefined)[] => [
  ...dashboard.panels.filter((p) => p.type !== 'row').map((p) => p.datasource),
  ...dashboard.panels.flatMap((p) => (p.targets ?? []).map((t) => t.datasource)),
  ...dashboard.templating.list.map((v) => v.datasource),
];

function atAll(expr: string, variables: Variable[], where: string): string {
  const filled = variables.reduce((e, v) => e.replaceAll(new RegExp(`\\$${v.name}\\b`, 'g'), v.allValue ?? '.*'), expr);
  // $1 is label_replace's.
  const [unknown] = /\$\{?[A-Za-z_]\w*/.exec(filled) ?? [];
  if (unknown) throw new Error(`${where}: ${unknown} is no variable of this dashboard`);
  return filled;
}

/** An expression as Prometheus's /api/v1/parse_query describes it, as far as it is looked at here. */
export interface Ast {
  type: string;
  name?: string;
  op?: string;
  grouping?: string[];
  without?: boolean;
  expr?: Ast | null;
  lhs?: Ast | null;
  rhs?: Ast | null;
  args?: Ast[];
}

/** Names of the metrics that an expression asks for. */
export function metricsIn(ast: Ast): string[] {
  const own = ast.type === 'vectorSelector' || ast.type === 'matrixSelector' ? [ast.name!] : [];
  return [
    ...own,
    ...[ast.expr, ast.lhs, ast.rhs, ...(ast.args ?? [])].flatMap((part) => (part ? metricsIn(part) : [])),
  ];
}

/** The labels that all its results have and no others, where the expression tells; undefined where only the series can. */
export function labelsOf(ast: Ast): string[] | undefined {
  if (ast.type === 'aggregation') {
    if (/^(topk|bottomk|limitk|limit_ratio)$/.test(ast.op!)) return labelsOf(ast.expr!);
    return ast.without ? undefined : ast.grouping;
  }
  if (ast.type === 'parenExpr' || ast.type === 'unaryExpr') return labelsOf(ast.expr!);
  if (ast.type === 'binaryExpr') return ast.op === 'or' ? undefined : labelsOf(ast.lhs!);
  return undefined;
}
