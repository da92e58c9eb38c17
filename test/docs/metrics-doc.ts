import { createMetrics } from '../../src/observability/metrics.ts';

export const METRICS_DOC = new URL('../../docs/metrics.md', import.meta.url);

const PREAMBLE = `# Metrics

\`/metrics\` of the admin port, in the Prometheus text format, with those of the Node process (\`process_…\`, \`nodejs_…\`).
Labels are bounded by the program and its configuration: none holds a namespace, a pod, a user or anything a caller sends.

This page is written by \`npm run docs:metrics\` from the definitions in \`src/observability\`; a test fails when it is stale.
`;

/** `docs/metrics.md` as the definitions have it now. */
export async function renderMetricsDoc(): Promise<string> {
  const { registry } = createMetrics({ version: '0', processMetrics: false });
  const described = await registry.getMetricsAsJSON();
  const rows = described
    .map(({ name, type, help }) => [
      `\`${name}\``,
      String(type),
      labelsOf(registry.getSingleMetric(name)),
      help,
    ])
    .sort(([one = ''], [other = '']) => (one < other ? -1 : 1));
  return `${PREAMBLE}\n${table([['name', 'type', 'labels', 'meaning'], ...rows])}`;
}

/** prom-client keeps the names on the metric and has no type for them. */
export function labelNamesOf(metric: unknown): readonly string[] {
  return (metric as { readonly labelNames: readonly string[] }).labelNames;
}

const labelsOf = (metric: unknown): string =>
  labelNamesOf(metric)
    .map((label) => `\`${label}\``)
    .join(', ');

/** As prettier writes one. */
function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const widths = head.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`;
  return [head, widths.map((width) => '-'.repeat(width)), ...body].map(line).join('');
}
