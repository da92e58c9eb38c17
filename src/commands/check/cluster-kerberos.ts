import { callLimits } from '../../hadoop/call-limits.ts';
import { parsePrincipal } from '../../kerberos/principal.ts';
import type { SpnegoProcess } from '../../kerberos/spnego-process.ts';
import type { Check } from '../../preflight/check.ts';
import type { Finding } from '../../preflight/finding.ts';
import { judgeKdcClocks, judgeKdcs, type KdcProbe, probeKdcs } from '../../preflight/kerberos/check-kdcs.ts';
import { checkLogin } from '../../preflight/kerberos/check-login.ts';
import { findKdcs } from '../../preflight/kerberos/find-kdcs.ts';
import { failed, skipped } from '../../preflight/say.ts';
import type { ClusterFiles } from './cluster-files.ts';
import type { NetworkOptions } from './cluster-network.ts';

/**
 * The KDCs, each by itself, and their clocks.
 * @returns the checks that a login needs
 */
export async function* checkKdcsOf(
  options: NetworkOptions,
): AsyncGenerator<Finding, readonly string[], undefined> {
  const { files, run, resolveSrv, askKdc, clock, random } = options;
  const { name } = files.config;
  const realm = files.realm();
  const profile = files.profile();
  const id = `kdc:${name}`;
  const needs = [`krb5-conf:${name}`];
  let probes: readonly KdcProbe[] = [];
  const principal = clientOf(files, realm ?? '');
  const kdcs: Check = {
    id,
    title: `KDCs of ${realm ?? 'the realm'}`,
    needs,
    run: async (signal) => {
      if (profile === undefined || realm === undefined) return [];
      const found = await findKdcs(profile, realm, resolveSrv);
      const others = found.others.map((text) =>
        skipped(
          { id: `${id}/${text}`, title: `KDC ${text} of ${realm}` },
          'only libkrb5 can ask it: the login tells',
        ),
      );
      if (found.problem !== undefined) {
        const fix = `Write the KDCs of ${realm} into krb5.conf: [realms] ${realm} = { kdc = HOST }, or mend DNS`;
        return [failed(kdcs, found.problem, fix)];
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
  // KDCs that only libkrb5 can ask stand in nobody's way.
  return probes.length > 0 || !run.passed(`krb5-conf:${name}`) ? [id] : needs;
}

/** In whose name the KDCs are asked: ours, or any, as their answer needs no key. */
function clientOf(files: ClusterFiles, realm: string) {
  const principal = files.parts()?.principal;
  return {
    components: principal === undefined ? ['kerbridge'] : parsePrincipal(principal).components,
    realm,
  };
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
