import type { ClusterConfig } from '../../config/serve-config.ts';
import { callLimits } from '../../hadoop/call-limits.ts';
import type { SpnegoProcess } from '../../kerberos/spnego-process.ts';
import type { Check } from '../../preflight/check.ts';
import type { Finding } from '../../preflight/finding.ts';
import { judgeKdcClocks, judgeKdcs, type KdcProbe, probeKdcs } from '../../preflight/kerberos/check-kdcs.ts';
import { checkLogin } from '../../preflight/kerberos/check-login.ts';
import { findKdcs } from '../../preflight/kerberos/find-kdcs.ts';
import { skipped, warning } from '../../preflight/say.ts';
import type { ClusterFiles } from './cluster-files.ts';
import type { NetworkOptions } from './cluster-network.ts';

export interface KdcsOptions extends Pick<
  NetworkOptions,
  'run' | 'resolveSrv' | 'askKdc' | 'clock' | 'random'
> {
  readonly files: Pick<ClusterFiles, 'profile' | 'principal'> & {
    readonly config: Pick<ClusterConfig, 'name'>;
  };
}

/**
 * The KDCs, each by itself, and their clocks.
 * @returns the checks that a login needs
 */
export async function* checkKdcsOf(
  options: KdcsOptions,
): AsyncGenerator<Finding, readonly string[], undefined> {
  const { files, run, resolveSrv, askKdc, clock, random } = options;
  const { name } = files.config;
  const principal = files.principal();
  const profile = files.profile();
  const id = `kdc:${name}`;
  const needs = [`krb5-conf:${name}`];
  let probes: readonly KdcProbe[] = [];
  const kdcs: Check = {
    id,
    title: `KDCs of ${principal?.realm ?? 'the realm'}`,
    needs,
    run: async (signal) => {
      if (profile === undefined) return [];
      // Not the default realm's: a stock krb5.conf has somebody else's.
      if (principal === undefined) {
        return [skipped(kdcs, 'the realm is that of our principal, which is not known')];
      }
      const { realm } = principal;
      const found = await findKdcs(profile, realm, resolveSrv);
      const others = found.others.map((text) =>
        skipped(
          { id: `${id}/${text}`, title: `KDC ${text} of ${realm}` },
          'only libkrb5 can ask it: the login tells',
        ),
      );
      if (found.problem !== undefined) {
        // libkrb5 knows other ways to find one (URI records), so that the login has the last word.
        const fix = `Write the KDCs of ${realm} into krb5.conf: [realms] ${realm} = { kdc = HOST }, or mend DNS`;
        return [warning(kdcs, found.problem, fix)];
      }
      probes = await probeKdcs({ cluster: name, principal, kdcs: found.kdcs, askKdc, clock, random }, signal);
      return [...judgeKdcs(probes, { cluster: name, principal }), ...others];
    },
  };
  yield* run.run([kdcs]);
  const clocks: Check = {
    id: `clock-kdc:${name}`,
    title: 'Clocks of the KDCs',
    needs: [id],
    run: () => Promise.resolve(judgeKdcClocks(probes, name)),
  };
  yield* run.run([clocks]);
  // That we do not understand a file need not mean that libkrb5 does not.
  if (profile !== undefined && profile.isReadable && profile.problems.length > 0) return [];
  // KDCs that only libkrb5 can ask stand in nobody's way.
  return probes.length > 0 || !run.passed(`krb5-conf:${name}`) ? [id] : needs;
}

export function loginCheck(
  { files, limits }: NetworkOptions,
  spnego: SpnegoProcess | undefined,
  kdcIds: readonly string[],
): Check {
  const { name } = files.config;
  const hosts = (files.parts()?.nameservices ?? []).flatMap(({ endpoints }) => endpoints);
  return {
    id: `login:${name}`,
    title: 'Login with the keytab',
    needs: [`keytab:${name}`, ...kdcIds],
    timeoutMs: callLimits(limits).negotiateTimeoutMs,
    run: async (signal) =>
      spnego === undefined
        ? []
        : checkLogin({ cluster: name, spnego, host: hosts[0]?.spnHost ?? 'localhost' }, signal),
  };
}
