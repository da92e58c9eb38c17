// As much of the Prometheus operator's definitions as our objects use, so that a misspelt field is refused. The API
// server can't tell if these are the operator's: the names were compared with its documentation.

const text = { type: 'string' };
const texts = { type: 'object', additionalProperties: text };
const object = (properties: object, required: readonly string[] = []) => ({
  type: 'object',
  properties,
  required,
});
const list = (items: object) => ({ type: 'array', items });

const definition = (kind: string, plural: string, spec: object) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `${plural}.monitoring.coreos.com`,
  },
  spec: {
    group: 'monitoring.coreos.com',
    scope: 'Namespaced',
    names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: object({ spec }, ['spec']) },
      },
    ],
  },
});

export const MONITORING_CRDS = [
  definition(
    'PodMonitor',
    'podmonitors',
    object(
      {
        selector: object({ matchLabels: texts }),
        podMetricsEndpoints: list(object({ port: text, path: text, interval: text, scrapeTimeout: text })),
      },
      ['selector'],
    ),
  ),
  definition(
    'PrometheusRule',
    'prometheusrules',
    object({
      groups: list(
        object(
          {
            name: text,
            rules: list(
              object({ alert: text, expr: text, for: text, labels: texts, annotations: texts }, ['expr']),
            ),
          },
          ['name'],
        ),
      ),
    }),
  ),
];
