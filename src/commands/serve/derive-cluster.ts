import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ConfigProblem } from '../../config/config-problem.ts';
import type { ClusterConfig } from '../../config/serve-config.ts';
import {
  type HadoopClusterConfiguration,
  hadoopClusterConfiguration,
} from '../../hadoop/conf-dir/hadoop-cluster-configuration.ts';
import { HadoopConfigurationError, problemText } from '../../hadoop/conf-dir/hadoop-configuration-error.ts';
import type { Nameservice } from '../../hadoop/conf-dir/nameservice.ts';
import { readConfiguration } from '../../hadoop/conf-dir/read-configuration.ts';
import { type LookupAddresses, tokenServiceNames } from '../../hadoop/conf-dir/token-service-names.ts';
import { type WebHdfsEndpoint, webHdfsEndpoints } from '../../hadoop/conf-dir/webhdfs-endpoints.ts';
import { isShortName } from '../../hadoop/short-name.ts';
import { HDFS_DELEGATION_TOKEN } from '../../hadoop/webhdfs/webhdfs-token-service.ts';
import { KeytabError } from '../../kerberos/keytab.ts';
import { keytabFile } from '../../kerberos/keytab-file.ts';
import { assertKrb5ConfReadable } from '../../kerberos/krb5-conf.ts';
import { formatPrincipal, parsePrincipal, PrincipalError, shortName } from '../../kerberos/principal.ts';
import { errorCode } from '../../observability/error-code.ts';
import { SpnegoError } from '../../hadoop/spnego.ts';
import { systemClock } from '../../time/clock.ts';
import { findServiceUsers } from './service-users.ts';

/** What a cluster's configuration, its Hadoop conf dir and its keytab come to. */
export interface DerivedCluster {
  readonly config: ClusterConfig;
  readonly principal: string;
  /** Of the principal: what pods may never be, and what tokens may name as `realUser`. */
  readonly shortName: string;
  readonly renewer: string;
  /** Daemons and proxy users that the conf dir names: what pods may never be either. */
  readonly serviceUsers: readonly string[];
  readonly nameservices: readonly DerivedNameservice[];
  /** PEM; undefined: the authorities that Node knows. */
  readonly ca: string | undefined;
  /** What is odd but no reason to stop. */
  readonly warnings: readonly string[];
}

export interface DerivedNameservice {
  readonly name: string;
  readonly endpoints: readonly WebHdfsEndpoint[];
  /** At least one. */
  readonly services: readonly string[];
}

/** What could be found out, whatever else is wrong: for a diagnosis, not to serve with. */
export interface ClusterParts {
  readonly config: ClusterConfig;
  readonly principal: string | undefined;
  readonly shortName: string | undefined;
  readonly renewer: string | undefined;
  readonly serviceUsers: readonly string[];
  /** Those whose endpoints are known; without any service where these could not be derived. */
  readonly nameservices: readonly DerivedNameservice[];
  readonly ca: string | undefined;
  readonly warnings: readonly string[];
  readonly problems: readonly ConfigProblem[];
}

export type Derivation =
  | { readonly ok: true; readonly cluster: DerivedCluster }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/**
 * Opens the files that a cluster's configuration names. Finds every problem of every file; connects to nothing but DNS.
 * @param path of the cluster in the configuration, for example `clusters[0]`
 */
export async function deriveCluster(
  config: ClusterConfig,
  path: string,
  lookup: LookupAddresses,
): Promise<Derivation> {
  const { problems, principal, shortName: user, renewer, ...parts } = await deriveParts(config, path, lookup);
  if (problems.length > 0 || principal === undefined || user === undefined || renewer === undefined) {
    return { ok: false, problems };
  }
  return { ok: true, cluster: { ...parts, principal, shortName: user, renewer } };
}

/** The same, and what is right beside what is wrong. */
export async function deriveParts(
  config: ClusterConfig,
  path: string,
  lookup: LookupAddresses,
): Promise<ClusterParts> {
  const problems: ConfigProblem[] = [];
  const add = (key: string, message: string) => {
    problems.push({ path: `${path}.${key}`, message });
  };
  const principal = await derivePrincipal(config, add);
  const user = principal === undefined ? undefined : shortName(principal);
  const renewer = config.renewer ?? user;
  if (renewer !== undefined && !isShortName(renewer)) {
    add('renewer', 'is not a Hadoop short name; write it without realm and slash, for example "kerbridge"');
  }
  const ca = await readCa(config, add);
  await checkKrb5Conf(config, add);
  const { nameservices, warnings, serviceUsers } = await deriveNameservices(config, add, lookup);
  return {
    config,
    principal,
    shortName: user,
    renewer,
    serviceUsers,
    nameservices,
    ca,
    warnings,
    problems,
  };
}

type AddProblem = (key: string, message: string) => void;

/** The configured principal if the keytab has it, or the keytab's first. */
async function derivePrincipal(config: ClusterConfig, add: AddProblem): Promise<string | undefined> {
  let wanted: string | undefined;
  try {
    wanted = config.principal === undefined ? undefined : formatPrincipal(parsePrincipal(config.principal));
  } catch (error) {
    if (!(error instanceof PrincipalError)) throw error;
    add('principal', error.message);
  }
  try {
    const { principals } = await keytabFile(config.keytab).read();
    if (wanted === undefined) return config.principal === undefined ? principals[0] : undefined;
    if (principals.includes(wanted)) return wanted;
    add('principal', `${wanted} is not in the keytab, which has ${principals.join(', ')}; name one of these`);
  } catch (error) {
    if (!(error instanceof KeytabError)) throw error;
    add('keytab', error.message);
  }
  return undefined;
}

/** PEM of `tlsCaFile`; undefined when there is none, or none that can be used. */
export async function readCa(
  config: Pick<ClusterConfig, 'tlsCaFile'>,
  add: AddProblem,
): Promise<string | undefined> {
  if (config.tlsCaFile === undefined) return undefined;
  let pem: string;
  try {
    pem = await readFile(config.tlsCaFile, 'utf8');
  } catch (error) {
    add('tlsCaFile', `cannot read ${config.tlsCaFile}: ${errorCode(error)}`);
    return undefined;
  }
  try {
    void new X509Certificate(pem);
    return pem;
  } catch {
    add('tlsCaFile', `${config.tlsCaFile} has no certificate in PEM form`);
    return undefined;
  }
}

async function checkKrb5Conf(config: ClusterConfig, add: AddProblem): Promise<void> {
  if (config.krb5Conf === undefined) return;
  try {
    await assertKrb5ConfReadable(config.krb5Conf);
  } catch (error) {
    if (!(error instanceof SpnegoError)) throw error;
    add('krb5Conf', error.message);
  }
}

async function deriveNameservices(
  config: ClusterConfig,
  add: AddProblem,
  lookup: LookupAddresses,
): Promise<Pick<DerivedCluster, 'nameservices' | 'warnings' | 'serviceUsers'>> {
  const read = await collect(add, async () => {
    const { properties } = await readConfiguration(config.hadoopConf);
    return { hadoop: hadoopClusterConfiguration(properties), users: await readServiceUsers(config) };
  });
  if (read === undefined) return { nameservices: [], warnings: [], serviceUsers: [] };
  const { hadoop, users } = read;
  if (!hadoop.securityEnabled) {
    add(
      'hadoopConf',
      'hadoop.security.authentication is simple: only a kerberized Hadoop has delegation tokens',
    );
  }
  const chosen = chooseNameservices(config, hadoop, add);
  const derived: DerivedNameservice[] = [];
  const seen = new Map<string, string>();
  for (const nameservice of chosen) {
    const one = await deriveNameservice(nameservice, hadoop, { config, add, lookup });
    if (one === undefined) continue;
    derived.push(one);
    for (const service of one.services) {
      const other = seen.get(service);
      if (other !== undefined) {
        add(
          'services',
          `nameservices ${other} and ${one.name} both have the label ${service}; give each its own`,
        );
      }
      seen.set(service, one.name);
    }
  }
  return { nameservices: derived, warnings: hadoop.warnings.map(problemText), serviceUsers: users };
}

/** Read apart: what YARN's and MapReduce's files say about HDFS doesn't count for an HDFS client. */
async function readServiceUsers(config: ClusterConfig): Promise<readonly string[]> {
  const additionalFiles = ['yarn-site.xml', 'mapred-site.xml'];
  return findServiceUsers((await readConfiguration(config.hadoopConf, { additionalFiles })).properties);
}

function chooseNameservices(
  config: ClusterConfig,
  hadoop: HadoopClusterConfiguration,
  add: AddProblem,
): readonly Nameservice[] {
  const known = hadoop.nameservices.map(({ name }) => name);
  for (const name of config.nameservices ?? []) {
    if (!known.includes(name))
      add('nameservices', `there is no ${name} in the conf dir, only ${known.join(', ')}`);
  }
  for (const name of Object.keys(config.services)) {
    if (!known.includes(name))
      add('services', `there is no ${name} in the conf dir, only ${known.join(', ')}`);
  }
  return hadoop.nameservices.filter(({ name }) => config.nameservices?.includes(name) ?? true);
}

async function deriveNameservice(
  nameservice: Nameservice,
  hadoop: HadoopClusterConfiguration,
  { config, add, lookup }: { config: ClusterConfig; add: AddProblem; lookup: LookupAddresses },
): Promise<DerivedNameservice | undefined> {
  const { name } = nameservice;
  const endpoints = await collect(add, () =>
    webHdfsEndpoints(hadoop, nameservice, { allowPlainHttp: config.allowPlainHttp }),
  );
  if (endpoints === undefined) return undefined;
  const override = Object.hasOwn(config.services, name) ? config.services[name] : undefined;
  const services = await collect(add, () =>
    tokenServiceNames(nameservice, {
      kind: HDFS_DELEGATION_TOKEN,
      useIp: hadoop.useIp,
      lookup,
      clock: systemClock,
      ...(override === undefined ? {} : { override }),
    }),
  );
  return { name, endpoints, services: services ?? [] };
}

/** The result of a step, or undefined after noting what is wrong with the Hadoop configuration. */
async function collect<T>(add: AddProblem, step: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof HadoopConfigurationError)) throw error;
    for (const problem of error.problems) add('hadoopConf', problemText(problem));
    return undefined;
  }
}
