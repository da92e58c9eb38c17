import type { ServeOptions } from '../../config/load-serve-config.ts';
import type { LookupAddresses } from '../../hadoop/conf-dir/token-service-names.ts';
import type { AskKdc } from '../../kerberos/kdc/ask-kdc.ts';
import type { CheckRun } from '../../preflight/check.ts';
import type { Finding } from '../../preflight/finding.ts';
import type { ResolveSrv } from '../../preflight/kerberos/find-kdcs.ts';
import type { Clock } from '../../time/clock.ts';
import { auditFileCheck, identityFileChecks } from './file-checks.ts';
import { clusterFiles } from './cluster-files.ts';
import { checkNetwork } from './cluster-network.ts';
import { userCheck } from './judge-user.ts';
import { kubernetesChecks } from './kubernetes-checks.ts';
import { tlsChecks } from './tls-checks.ts';
import { configurationSubject, loadConfiguration, type LoadedConfiguration } from './load-configuration.ts';

export interface ExamineOptions {
  readonly serve: ServeOptions;
  /** For whom a token is issued, renewed and cancelled. */
  readonly user: string | undefined;
  /** Only this one; undefined: all. */
  readonly cluster: string | undefined;
  /** The running server, as its clients have it; undefined: it is not looked at. */
  readonly url: URL | undefined;
  /** PEM that those clients trust. */
  readonly caFile: string | undefined;
  readonly run: CheckRun;
  readonly clock: Clock;
  readonly random: () => number;
  readonly lookup: LookupAddresses;
  readonly resolveSrv: ResolveSrv;
  readonly askKdc: AskKdc;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The configuration has no cluster of the name that was asked for. */
export class UnknownClusterError extends Error {
  override readonly name = 'UnknownClusterError';
}

/**
 * Everything that `serve` would depend on, in the order in which it would: files, KDCs, NameNodes, a token, Kubernetes, TLS.
 * What depends on something that failed is skipped, all else is looked at. Rejects with {@link UnknownClusterError} only.
 */
export async function* examine(options: ExamineOptions): AsyncGenerator<Finding, void, undefined> {
  const { run, serve, clock, user } = options;
  let loaded: LoadedConfiguration | undefined;
  yield* run.run([
    {
      ...configurationSubject(serve),
      run: async () => {
        loaded = await loadConfiguration(serve);
        return loaded.findings;
      },
    },
  ]);
  if (loaded === undefined) return;
  const { clusters, sections, limits, isWhole } = loaded;
  const chosen = clusters.filter(({ cluster }) => cluster.name === (options.cluster ?? cluster.name));
  if (chosen.length === 0 && options.cluster !== undefined && isWhole) {
    const names = clusters.map(({ cluster }) => cluster.name).join(', ');
    throw new UnknownClusterError(`the configuration has no cluster ${options.cluster}, only ${names}`);
  }
  const identity = sections.identity === undefined ? undefined : identityFileChecks(sections.identity, clock);
  yield* run.run(identity?.checks ?? []);
  yield* run.run(sections.audit === undefined ? [] : [auditFileCheck(sections.audit)]);

  // Of all clusters: whoever is denied in one is denied in all.
  const all = clusters.map(({ cluster, index }) => clusterFiles(cluster, index, options.lookup));
  const ours = all.filter(({ config }) => chosen.some(({ cluster }) => cluster === config));
  for (const files of all) {
    const findings = run.run(files.checks);
    if (ours.includes(files)) yield* findings;
    else for await (const _ of findings);
  }
  if (user !== undefined) {
    yield* run.run([
      userCheck({ user, identity: sections.identity, identityFiles: identity, clusters: all }),
    ]);
  }
  for (const files of ours) yield* checkNetwork({ ...options, files, limits });
  const kubernetes = kubernetesChecks(sections, { limits, clock });
  try {
    yield* run.run(kubernetes.checks);
  } finally {
    kubernetes.close();
  }
  yield* run.run(tlsChecks({ ...options, sections }));
}
