import { ConfigError, type ConfigProblem } from '../../config/config-problem.ts';
import { loadServeConfig, type ServeOptions } from '../../config/load-serve-config.ts';
import type { ServeConfig } from '../../config/serve-config.ts';
import type { LookupAddresses } from '../../hadoop/conf-dir/token-service-names.ts';
import { createDenyList } from '../../identity/deny-list.ts';
import { createUserIdentifier } from '../../identity/identify-user.ts';
import type { IdentifyUser } from '../../identity/identity-result.ts';
import { NO_IDENTITY_RULES } from '../../identity/identity-rules.ts';
import type { RevocationsNow } from '../../identity/revocations.ts';
import type { KubernetesApi } from '../../kubernetes/kubernetes-api.ts';
import type { Clock } from '../../time/clock.ts';
import { deniedUsers } from '../service/denied-users.ts';
import { hostPort } from '../service/host-port.ts';
import { openKubernetes } from '../service/open-kubernetes.ts';
import { deriveCluster, type DerivedCluster } from './derive-cluster.ts';
import { identityWarnings } from './identity-warnings.ts';
import { openFiles, type ServeFiles } from './open-files.ts';

/** Everything that is known before the first connection. */
export interface ServePlan {
  readonly config: ServeConfig;
  readonly clusters: readonly DerivedCluster[];
  readonly kubernetes: KubernetesApi;
  /** Which user a pod is, with what is known of revocations at each moment. */
  readonly createIdentifier: (revocations: () => RevocationsNow) => IdentifyUser;
  /** Followed from the start; whoever holds the plan stops them. */
  readonly files: ServeFiles;
}

/**
 * Reads the configuration and every file that it names. Starts nothing.
 * @throws {ConfigError} with all problems of all files
 */
export async function planServe(
  options: ServeOptions,
  lookup: LookupAddresses,
  clock: Clock,
): Promise<ServePlan> {
  const loaded = await loadServeConfig(options);
  const problems: ConfigProblem[] = loaded.ok ? [] : [...loaded.problems];
  const configured = loaded.ok
    ? loaded.config.clusters.map((cluster, index) => ({ cluster, index }))
    : loaded.clusters;
  const clusters: DerivedCluster[] = [];
  for (const { cluster, index } of configured) {
    const derivation = await deriveCluster(cluster, `clusters[${index}]`, lookup);
    if (derivation.ok) clusters.push(derivation.cluster);
    else problems.push(...derivation.problems);
  }
  const kubernetes = loaded.ok ? openKubernetes(loaded.config, problems) : undefined;
  const files = loaded.ok ? await openFiles(loaded.config, clock, problems) : undefined;
  const createIdentifier =
    files === undefined || !loaded.ok
      ? undefined
      : planIdentifier(loaded.config, clusters, { files, clock, problems });
  if (
    !loaded.ok ||
    kubernetes === undefined ||
    files === undefined ||
    createIdentifier === undefined ||
    problems.length > 0
  ) {
    kubernetes?.close();
    files?.stop();
    throw new ConfigError(problems);
  }
  return { config: loaded.config, clusters, kubernetes, createIdentifier, files };
}

function planIdentifier(
  { identity }: ServeConfig,
  clusters: readonly DerivedCluster[],
  { files, clock, problems }: { files: ServeFiles; clock: Clock; problems: ConfigProblem[] },
): ServePlan['createIdentifier'] | undefined {
  const options = {
    annotation: identity.annotation,
    userPattern: identity.userPattern,
    denyUsers: createDenyList({
      // Whoever becomes us becomes everybody, and a renewer may cancel everybody's tokens: no configuration takes
      // these off the list.
      ownShortNames: clusters.flatMap(({ shortName, renewer }) => [shortName, renewer]),
      serviceUsers: clusters.flatMap(({ serviceUsers }) => serviceUsers),
      users: deniedUsers(identity.denyUsers, problems),
    }),
    rules: () => files.rules?.current ?? NO_IDENTITY_RULES,
    requireSignature: identity.requireSignature,
    stampKeys: () => files.stampKeys?.current,
    clock,
  };
  const createIdentifier: ServePlan['createIdentifier'] = (revocations) =>
    createUserIdentifier({ ...options, revocations });
  try {
    // Now, because a pattern that can't be used is a problem of the configuration.
    createIdentifier(() => ({ known: false }));
    return createIdentifier;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    problems.push({ path: 'identity.userPattern', message: error.message });
    return undefined;
  }
}

/** What `--check-config` prints: for a person, one fact a line, no secret. */
export function describePlan({ config, clusters, kubernetes }: ServePlan): string[] {
  return [
    'configuration ok',
    `listen: ${config.listen.tls === undefined ? 'http' : 'https'}://${hostPort(config.listen)}`,
    `admin: http://${hostPort(config.admin)}`,
    `kubernetes: ${kubernetes.server}, audience ${config.kubernetes.audience}`,
    ...identityWarnings(config.identity).map((warning) => `warning: ${warning}`),
    ...clusters.flatMap((cluster) => [
      `cluster ${cluster.config.name}: principal ${cluster.principal}, renewer ${cluster.renewer}`,
      ...cluster.nameservices.flatMap(({ name, endpoints, services }) => [
        `  nameservice ${name}`,
        ...endpoints.map(
          ({ nameNodeId, baseUrl, spnHost }) => `    NameNode ${nameNodeId}: ${baseUrl}, HTTP/${spnHost}`,
        ),
        `    services: ${services.join(', ')}`,
      ]),
      ...cluster.warnings.map((warning) => `  warning: ${warning}`),
    ]),
  ];
}
