import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { createMetrics } from '../../../src/observability/metrics.ts';
import { labelNamesOf } from '../../docs/metrics-doc.ts';
import { DEPLOY } from '../deploy/deploy-copy.ts';
import { temporaryFolder } from '../hadoop/hdfs-token-service.ts';
import { promtool } from './promtool.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

type Series = Readonly<Record<string, string>>;

const day = 86_400;
/** Two hours, a value a minute, in promtool's notation: `a+bxn` is a, a+b, … a+b*n. */
const constant = (value: number): string => `${value}x120`;
const rising = (step: number): string => `0+${step}x120`;

/** One replica, and nothing wrong. */
const HEALTHY: Series = {
  'kerbridge_build_info{pod="a"}': constant(1),
  'kerbridge_dependency_ready{pod="a",dependency="kubernetes"}': constant(1),
  'kerbridge_http_requests_total{pod="a",status="200"}': rising(60),
  'kerbridge_http_requests_total{pod="a",status="503"}': rising(1),
  'kerbridge_hadoop_calls_total{pod="a",cluster="c",operation="issue",outcome="ok"}': rising(60),
  'kerbridge_hadoop_calls_total{pod="a",cluster="c",operation="issue",outcome="unreachable"}': rising(1),
  'kerbridge_hadoop_calls_total{pod="a",cluster="c",operation="issue",outcome="denied"}': constant(3),
  'kerbridge_revocations_last_read_timestamp_seconds{pod="a"}': rising(60),
  'kerbridge_audit_lines_total{pod="a",outcome="written"}': rising(60),
  'kerbridge_audit_lines_total{pod="a",outcome="failed"}': constant(1),
  'kerbridge_tls_certificate_not_after_timestamp_seconds{pod="a"}': constant(90 * day),
  'kerbridge_file_ok{pod="a",file="rules"}': constant(1),
  'kerbridge_pod_reflector_synced{pod="a"}': constant(1),
  'kerbridge_signing_keys{pod="a"}': constant(2),
  'kerbridge_queue_rejected_total{pod="a",queue="token-review",reason="full"}': constant(0),
  'kerbridge_delegation_token_renewals_overdue{pod="a",cluster="c"}': constant(0),
  // A day, of which less than half is over; then it is renewed.
  'kerbridge_delegation_token_nearest_expiry_seconds{pod="a",cluster="c",kind="k"}': constant(day / 2),
  'kerbridge_delegation_token_renewal_interval_seconds{pod="a",cluster="c",kind="k"}': constant(day),
  'kerbridge_delegation_tokens_lost_total{pod="a",cluster="c",reason="expired"}': constant(2),
  'kerbridge_delegation_tokens_lost_total{pod="a",cluster="c",reason="cancelled-elsewhere"}': constant(2),
  'kerbridge_delegation_tokens_unrecorded{pod="a"}': constant(0),
  'kerbridge_hadoop_breaker_state{pod="a",cluster="c",endpoint="https://nn1:9871"}': constant(0),
  // It did not answer once, and nobody had to ask it since: the other one is active.
  'kerbridge_hadoop_breaker_state{pod="a",cluster="c",endpoint="https://nn2:9871"}': '2 1x119',
  'kerbridge_requests_limited_total{pod="a",limit="namespace"}': constant(0),
  'kerbridge_authentications_total{pod="a",outcome="refused",reason="expired"}': rising(2),
  'kerbridge_identifications_total{pod="a",outcome="refused",reason="denied"}': rising(2),
  'kerbridge_log_lines_dropped_total{pod="a"}': constant(0),
  // And one of decorate, with its own authority: twelve days are enough for a certificate of that.
  'kerbridge_file_ok{pod="a",file="stamp-keys"}': constant(1),
  'kerbridge_build_info{pod="d"}': constant(1),
  'kerbridge_admission_reviews_in_flight{pod="d"}': constant(0),
  'kerbridge_admission_reviews_total{pod="d",route="/mutate",outcome="changed"}': rising(60),
  'kerbridge_admission_reviews_total{pod="d",route="/mutate",outcome="refused"}': rising(2),
  'kerbridge_admission_reviews_total{pod="d",route="/mutate",outcome="could-not-check"}': constant(1),
  'kerbridge_admission_reviews_total{pod="d",route="/mutate",outcome="unauthenticated"}': constant(1),
  'kerbridge_tls_certificate_not_after_timestamp_seconds{pod="d"}': constant(12 * day),
  'kerbridge_own_ca_not_after_timestamp_seconds{pod="d"}': constant(300 * day),
};

/** By alert: what is otherwise when it must fire. */
const TROUBLE: Readonly<Record<string, Series>> = {
  KerbridgeAbsent: { 'kerbridge_build_info{pod="a"}': '_x120' },
  KerbridgeDependencyNotReady: { 'kerbridge_dependency_ready{pod="a",dependency="kubernetes"}': constant(0) },
  KerbridgeServerErrors: { 'kerbridge_http_requests_total{pod="a",status="503"}': rising(6) },
  KerbridgeHadoopFails: {
    'kerbridge_hadoop_calls_total{pod="a",cluster="c",operation="issue",outcome="unreachable"}': rising(30),
  },
  KerbridgeHadoopDenies: {
    'kerbridge_hadoop_calls_total{pod="a",cluster="c",operation="issue",outcome="denied"}': rising(1),
  },
  KerbridgeRevocationsStale: { 'kerbridge_revocations_last_read_timestamp_seconds{pod="a"}': constant(60) },
  KerbridgeAuditNotWritten: { 'kerbridge_audit_lines_total{pod="a",outcome="failed"}': rising(1) },
  KerbridgeCertificateExpires: {
    'kerbridge_tls_certificate_not_after_timestamp_seconds{pod="a"}': constant(13 * day),
  },
  KerbridgeCertificateExpiresSoon: {
    'kerbridge_tls_certificate_not_after_timestamp_seconds{pod="a"}': constant(day),
  },
  KerbridgeFileNotInUse: { 'kerbridge_file_ok{pod="a",file="rules"}': constant(0) },
  KerbridgePodsNotWatched: { 'kerbridge_pod_reflector_synced{pod="a"}': constant(0) },
  KerbridgeSigningKeysUnknown: { 'kerbridge_signing_keys{pod="a"}': constant(0) },
  KerbridgeQueueFull: {
    'kerbridge_queue_rejected_total{pod="a",queue="token-review",reason="full"}': rising(1),
  },
  KerbridgeRenewalsOverdue: {
    'kerbridge_delegation_token_renewals_overdue{pod="a",cluster="c"}': constant(1),
  },
  KerbridgeTokensNearExpiry: {
    'kerbridge_delegation_token_nearest_expiry_seconds{pod="a",cluster="c",kind="k"}': constant(day / 5),
  },
  KerbridgeTokensLapsed: {
    // From 0, which is there from the start, to 1: also one is seen.
    'kerbridge_delegation_tokens_lost_total{pod="a",cluster="c",reason="expired"}': '0x115 1x5',
  },
  KerbridgeTokensCancelledElsewhere: {
    'kerbridge_delegation_tokens_lost_total{pod="a",cluster="c",reason="cancelled-elsewhere"}': '0x115 1x5',
  },
  KerbridgeTokensUnrecorded: { 'kerbridge_delegation_tokens_unrecorded{pod="a"}': constant(1) },
  KerbridgeHadoopNotReached: {
    // Now and then a call tries.
    'kerbridge_hadoop_breaker_state{pod="a",cluster="c",endpoint="https://nn1:9871"}': Array.from(
      { length: 40 },
      () => '2 2 1',
    ).join(' '),
  },
  KerbridgeNamespaceLimited: { 'kerbridge_requests_limited_total{pod="a",limit="namespace"}': rising(1) },
  KerbridgeManyRefused: {
    'kerbridge_authentications_total{pod="a",outcome="refused",reason="expired"}': rising(70),
    // Nobody was refused here yet, so there is no such series.
    'kerbridge_identifications_total{pod="a",outcome="refused",reason="denied"}': '_x120',
  },
  KerbridgeLogLinesDropped: { 'kerbridge_log_lines_dropped_total{pod="a"}': rising(1) },
  KerbridgeDecorateAbsent: { 'kerbridge_admission_reviews_in_flight{pod="d"}': '_x120' },
  KerbridgeDecorateFails: {
    'kerbridge_admission_reviews_total{pod="d",route="/mutate",outcome="could-not-check"}': rising(1),
  },
  KerbridgeDecorateUnauthenticated: {
    'kerbridge_admission_reviews_total{pod="d",route="/mutate",outcome="unauthenticated"}': rising(1),
  },
  KerbridgeDecorateRefusesMany: {
    'kerbridge_admission_reviews_total{pod="d",route="/mutate",outcome="refused"}': rising(70),
  },
  KerbridgeDecorateCertificateNotRenewed: {
    'kerbridge_tls_certificate_not_after_timestamp_seconds{pod="d"}': constant(6 * day),
  },
};

/** A certificate that expires tomorrow is also one that expires within two weeks. */
const ALSO: Readonly<Record<string, readonly string[]>> = {
  KerbridgeCertificateExpiresSoon: ['KerbridgeCertificateExpires'],
};

const { spec } = parse(
  await readFile(join(DEPLOY, 'components/prometheus/prometheus-rule.yaml'), 'utf8'),
) as { spec: { groups: { rules: Rule[] }[] } };
const rules = spec.groups.flatMap((group) => group.rules);

describe('the alerts', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let rulesFile: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    rulesFile = join(folder.path, 'rules.yaml');
    await writeFile(rulesFile, JSON.stringify(spec));
  });
  afterAll(async () => {
    await folder[Symbol.asyncDispose]();
  });

  it('are rules to promtool', async () => {
    const checked = await promtool(['check', 'rules', rulesFile]);
    expect(checked).toMatchObject({ exitCode: 0, stderr: '' });
    expect(checked.stdout).toContain(`${rules.length} rules found`);
  });

  it.each(rules)('$alert reads metrics and labels that there are', async ({ expr, annotations }) => {
    const known = new Map<string, readonly string[]>();
    const metrics = createMetrics({ version: '0', processMetrics: false });
    for (const { name } of await metrics.registry.getMetricsAsJSON()) {
      known.set(name, labelNamesOf(metrics.registry.getSingleMetric(name)));
    }
    const named = [...expr.matchAll(/(?<metric>kerbridge_[a-z_]+)(?:\{(?<labels>[^}]*)\})?/g)];
    expect(named.length).toBeGreaterThan(0);
    const labels = new Set(['pod']);
    for (const { groups } of named) {
      const metric = groups?.['metric'] ?? '';
      expect([...known.keys()]).toContain(metric);
      for (const label of known.get(metric) ?? []) labels.add(label);
      for (const [, label] of (groups?.['labels'] ?? '').matchAll(/([a-z_]+)[=!]/g)) {
        expect(known.get(metric)).toContain(label);
      }
    }
    for (const [, label = ''] of JSON.stringify(annotations).matchAll(/\$labels\.([a-z_]+)/g)) {
      expect([...labels]).toContain(label);
    }
    expect(annotations).toMatchObject({ summary: expect.any(String), description: expect.any(String) });
  });

  it('are silent when nothing is wrong', async () => {
    expect(await firing(HEALTHY, [])).toMatchObject({ exitCode: 0 });
  });

  it('do not miss decorate where nothing wants signatures', async () => {
    const without = Object.entries(HEALTHY).filter(
      ([series]) => !series.includes('pod="d"') && !series.includes('stamp-keys'),
    );
    expect(await firing(Object.fromEntries(without), [])).toMatchObject({ exitCode: 0 });
  });

  it.each(rules)('$alert fires when it should, and no other with it', async ({ alert }) => {
    const trouble = TROUBLE[alert];
    if (trouble === undefined) throw new Error(`no case for ${alert}`);
    const expected = [alert, ...(ALSO[alert] ?? [])];
    expect(await firing({ ...HEALTHY, ...trouble }, expected)).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('a test of an alert that does not fire would fail', async () => {
    expect((await firing(HEALTHY, ['KerbridgeAbsent'])).exitCode).toBe(1);
  });

  it('the configuration for a Prometheus without the operator is one', async () => {
    const config = parse(await readFile(join(DEPLOY, 'examples/prometheus/scrape-config.yaml'), 'utf8')) as {
      scrape_configs: Record<string, unknown>[];
    };
    // Debian builds its Prometheus without discovery in Kubernetes.
    for (const job of config.scrape_configs) {
      expect(job['kubernetes_sd_configs']).toEqual([
        expect.objectContaining({ role: 'pod', namespaces: { names: ['kerbridge'] } }),
      ]);
      delete job['kubernetes_sd_configs'];
    }
    const file = join(folder.path, 'prometheus.yaml');
    await writeFile(file, JSON.stringify(config));
    expect(await promtool(['check', 'config', file])).toMatchObject({ exitCode: 0, stderr: '' });
  });

  /** Whether exactly these alerts fire after two hours of these series. */
  async function firing(series: Series, alerts: readonly string[]): ReturnType<typeof promtool> {
    const file = join(folder.path, 'test.yaml');
    const test = {
      rule_files: [rulesFile],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
          promql_expr_test: [
            {
              expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
              eval_time: '2h',
              exp_samples: alerts.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
            },
          ],
        },
      ],
    };
    await writeFile(file, JSON.stringify(test));
    return await promtool(['test', 'rules', file]);
  }
});
