import type { ClusterConfig } from '../../config/serve-config.ts';
import type { LookupAddresses } from '../../hadoop/conf-dir/token-service-names.ts';
import { keytabFile } from '../../kerberos/keytab-file.ts';
import { type Krb5Profile, readKrb5Profile } from '../../kerberos/krb5-profile.ts';
import { parsePrincipal, type Principal, PrincipalError } from '../../kerberos/principal.ts';
import type { Check } from '../../preflight/check.ts';
import type { Finding } from '../../preflight/finding.ts';
import { checkKeytab } from '../../preflight/kerberos/check-keytab.ts';
import { checkKrb5Conf, krb5ConfSubject } from '../../preflight/kerberos/check-krb5-conf.ts';
import { failed, ok, skipped, warning } from '../../preflight/say.ts';
import { type ClusterParts, deriveParts, readCa } from '../serve/derive-cluster.ts';
import { splitFix } from './split-fix.ts';

export type FullPrincipal = Principal & { readonly realm: string };

/** What the files of a cluster say, filled by its checks. */
export interface ClusterFiles {
  readonly config: ClusterConfig;
  readonly checks: readonly Check[];
  readonly parts: () => ClusterParts | undefined;
  readonly profile: () => Krb5Profile | undefined;
  /** Our principal, in the keytab or as configured, if its realm is known. */
  readonly principal: () => FullPrincipal | undefined;
}

const COPY =
  'Correct it, or copy core-site.xml and hdfs-site.xml anew from a Hadoop client that works (a gateway host)';

/** What the other checks here look at more closely. */
const ELSEWHERE = ['keytab', 'principal', 'krb5Conf', 'tlsCaFile'];

/** The files of one cluster. Each is looked at, whatever is wrong with the others. */
export function clusterFiles(config: ClusterConfig, index: number, lookup: LookupAddresses): ClusterFiles {
  const { name } = config;
  const path = `clusters[${index}]`;
  let parts: ClusterParts | undefined;
  let profile: Krb5Profile | undefined;
  let principal: string | undefined;

  const confDir: Check = {
    id: `conf-dir:${name}`,
    title: `Hadoop conf dir ${config.hadoopConf}`,
    timeoutFix: 'See that DNS answers here',
    run: async () => {
      parts = await deriveParts(config, path, lookup);
      return judgeConfDir(confDir, parts, path);
    },
  };
  const ca: Check = {
    id: `hadoop-ca:${name}`,
    title: `CA of Hadoop's servers ${config.tlsCaFile ?? ''}`.trim(),
    run: () => judgeCa(ca, config),
  };
  const keytab: Check = {
    id: `keytab:${name}`,
    title: `Keytab ${config.keytab}`,
    run: async () => {
      const source = keytabFile(config.keytab);
      const result = await checkKeytab({
        cluster: name,
        path: config.keytab,
        principal: config.principal,
        source,
      });
      ({ principal } = result);
      return result.findings;
    },
  };
  const known = (): FullPrincipal | undefined => fullPrincipal(principal) ?? fullPrincipal(config.principal);
  const krb5Conf: Check = {
    ...krb5ConfSubject({ cluster: name, krb5Conf: config.krb5Conf }),
    run: async () => {
      profile = await readKrb5Profile(config.krb5Conf);
      return checkKrb5Conf({ cluster: name, krb5Conf: config.krb5Conf, profile, realm: known()?.realm });
    },
  };
  return {
    config,
    checks: [confDir, ca, keytab, krb5Conf],
    parts: () => parts,
    profile: () => profile,
    principal: known,
  };
}

function fullPrincipal(text: string | undefined): FullPrincipal | undefined {
  try {
    const { components, realm } = parsePrincipal(text ?? '');
    return realm === undefined ? undefined : { components, realm };
  } catch (error) {
    if (!(error instanceof PrincipalError)) throw error;
    return undefined;
  }
}

function judgeConfDir(check: Check, parts: ClusterParts, path: string): readonly Finding[] {
  const problems = parts.problems.filter(({ path: at }) => !ELSEWHERE.includes(keyOf(at, path)));
  const findings = problems.map(({ path: at, message }) => {
    const { detail, fix } = splitFix(message, COPY);
    const key = keyOf(at, path);
    return failed(check, key === 'hadoopConf' ? detail : `${key}: ${detail}`, fix);
  });
  const warnings = parts.warnings.map((text) => {
    const { detail, fix } = splitFix(text, COPY);
    return warning(check, detail, fix);
  });
  if (findings.length > 0) return [...findings, ...warnings];
  const found = parts.nameservices.map(({ name, endpoints }) => `${name} (${endpoints.length} NameNode(s))`);
  return [ok(check, `nameservices ${found.join(', ')}`), ...warnings];
}

const keyOf = (at: string, path: string): string => at.slice(path.length + 1);

/** Read by itself: of a conf dir that took too long nothing is known. */
async function judgeCa(check: Check, config: ClusterConfig): Promise<readonly Finding[]> {
  if (config.tlsCaFile === undefined) {
    return [skipped(check, 'tlsCaFile is not set: the authorities that Node knows are trusted')];
  }
  const problems: string[] = [];
  await readCa(config, (_key, message) => {
    problems.push(message);
  });
  if (problems.length === 0) return [ok(check, 'can be used')];
  const fix = 'Put the PEM certificate of the authority that signed the certificates of the NameNodes there';
  return problems.map((message) => failed(check, message, fix));
}
