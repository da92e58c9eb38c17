import { ProblemCollector, type ConfigurationProblem } from './hadoop-configuration-error.ts';
import type { HadoopProperties } from './hadoop-properties.ts';
import { readDefaultFs } from './hdfs-references.ts';
import type { Nameservice } from './nameservice.ts';
import { readNameservices } from './read-nameservices.ts';

export const HTTP_POLICIES = ['HTTP_ONLY', 'HTTPS_ONLY', 'HTTP_AND_HTTPS'] as const;
export type HttpPolicy = (typeof HTTP_POLICIES)[number];

/** What the rest of the program needs to know of a Hadoop cluster. Frozen throughout. */
export interface HadoopClusterConfiguration {
  /** `fs.defaultFS` */
  readonly defaultFs: string;
  /** `hadoop.security.authentication` is anything but simple. */
  readonly securityEnabled: boolean;
  /** `hadoop.security.token.service.use_ip`: clients look for tokens by IP address and port. */
  readonly useIp: boolean;
  /** `dfs.http.policy` */
  readonly httpPolicy: HttpPolicy;
  /** `dfs.webhdfs.enabled`, which Hadoop 3 no longer has: there it is always on. */
  readonly webHdfsEnabled: boolean;
  /** `hadoop.security.key.provider.path`, to the letter: clients look up KMS tokens by this string. */
  readonly keyProviderUri?: string;
  /** The one of the default file system first. */
  readonly nameservices: readonly Nameservice[];
  /** Listed in `dfs.nameservices` but not in `dfs.internal.nameservices`: other clusters, no tokens of ours. */
  readonly externalNameservices: readonly string[];
  /** What Hadoop accepts without a word although it is probably not meant. */
  readonly warnings: readonly ConfigurationProblem[];
}

export interface HadoopClusterConfigurationOptions {
  /** Default true: a configuration without any HDFS is refused. */
  readonly requireHdfs?: boolean;
}

/** The values of Hadoop's `UserGroupInformation.AuthenticationMethod`. */
const AUTHENTICATION_METHODS = ['simple', 'kerberos', 'token', 'certificate', 'kerberos_ssl', 'proxy'];

/** Derives the cluster from its properties. Throws HadoopConfigurationError with all problems together. */
export function hadoopClusterConfiguration(
  properties: HadoopProperties,
  options: HadoopClusterConfigurationOptions = {},
): HadoopClusterConfiguration {
  const problems = new ProblemCollector();
  const defaultFs = problems.attempt(() => readDefaultFs(properties)) ?? '';
  const securityEnabled = problems.attempt(() => readSecurityEnabled(properties)) ?? false;
  const httpPolicy = problems.attempt(() => readHttpPolicy(properties)) ?? 'HTTP_ONLY';
  const useIp = problems.attempt(() => properties.getBoolean('hadoop.security.token.service.use_ip', true));
  const webHdfsEnabled = problems.attempt(() => properties.getBoolean('dfs.webhdfs.enabled', true));
  const keyProviderUri = problems.attempt(() => properties.getTrimmed('hadoop.security.key.provider.path'));
  const { nameservices, externalNameservices } = readNameservices(properties, problems);
  problems.throwIfAny();
  if (nameservices.length === 0 && options.requireHdfs !== false) {
    const message = `is "${defaultFs}" and dfs.nameservices is empty, so there is no HDFS; set it to hdfs://... in core-site.xml`;
    throw properties.error('fs.defaultFS', message);
  }
  return Object.freeze({
    defaultFs,
    securityEnabled,
    useIp: useIp ?? true,
    httpPolicy,
    webHdfsEnabled: webHdfsEnabled ?? true,
    ...(keyProviderUri === undefined ? {} : { keyProviderUri }),
    nameservices,
    externalNameservices,
    warnings: Object.freeze(properties.warnings),
  });
}

function readSecurityEnabled(properties: HadoopProperties): boolean {
  const property = 'hadoop.security.authentication';
  const method = properties.getTrimmed(property)?.toLowerCase() ?? 'simple';
  if (!AUTHENTICATION_METHODS.includes(method)) {
    throw properties.error(property, `"${method}" is no method of authentication; set it to kerberos`);
  }
  return method !== 'simple';
}

function readHttpPolicy(properties: HadoopProperties): HttpPolicy {
  const property = 'dfs.http.policy';
  const text = properties.getTrimmed(property)?.toUpperCase() ?? 'HTTP_ONLY';
  const policy = HTTP_POLICIES.find((known) => known === text);
  if (policy === undefined) {
    throw properties.error(property, `"${text}" is no policy; set it to one of ${HTTP_POLICIES.join(', ')}`);
  }
  return policy;
}
