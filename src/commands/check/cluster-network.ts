import { callLimits } from '../../hadoop/call-limits.ts';
import type { LookupAddresses } from '../../hadoop/conf-dir/token-service-names.ts';
import type { HadoopHttpClient } from '../../hadoop/http/hadoop-http-client.ts';
import type { SpnegoSessions } from '../../hadoop/http/spnego-sessions.ts';
import { WEBHDFS_LOGIN } from '../../hadoop/webhdfs/webhdfs-token-service.ts';
import type { AskKdc } from '../../kerberos/kdc/ask-kdc.ts';
import { parsePrincipal } from '../../kerberos/principal.ts';
import type { SpnegoProcess } from '../../kerberos/spnego-process.ts';
import type { Check, CheckRun } from '../../preflight/check.ts';
import type { Finding } from '../../preflight/finding.ts';
import { checkName } from '../../preflight/hadoop/check-names.ts';
import { checkSpnego } from '../../preflight/hadoop/check-spnego.ts';
import { checkState } from '../../preflight/hadoop/check-state.ts';
import { checkToken, tokenSubjects } from '../../preflight/hadoop/check-token.ts';
import {
  judgeWeb,
  judgeWebClock,
  type NameNodeTarget,
  probeWeb,
  type WebProbe,
} from '../../preflight/hadoop/check-web.ts';
import { judgeKdcClocks, judgeKdcs, type KdcProbe, probeKdcs } from '../../preflight/kerberos/check-kdcs.ts';
import { checkLogin, checkSpn } from '../../preflight/kerberos/check-login.ts';
import { findKdcs, type ResolveSrv } from '../../preflight/kerberos/find-kdcs.ts';
import { failed, skipped } from '../../preflight/say.ts';
import type { ServeConfig } from '../../config/serve-config.ts';
import type { Clock } from '../../time/clock.ts';
import type { DerivedNameservice } from '../serve/derive-cluster.ts';
import {
  newHadoopHttpClient,
  newSpnegoProcess,
  newSpnegoSessions,
  newTokenService,
} from '../serve/hadoop-clients.ts';
import type { ClusterFiles } from './cluster-files.ts';

export interface NetworkOptions {
  readonly files: ClusterFiles;
  readonly run: CheckRun;
  readonly limits: ServeConfig['limits'];
  readonly clock: Clock;
  readonly random: () => number;
  readonly lookup: LookupAddresses;
  readonly resolveSrv: ResolveSrv;
  readonly askKdc: AskKdc;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For whom a token is asked; undefined: nobody was named. */
  readonly user: string | undefined;
}

/** The KDCs and the NameNodes of one cluster, as far as its files tell of them. */
export async function* checkNetwork(options: NetworkOptions): AsyncGenerator<Finding, void, undefined> {
  const { files, limits, clock, environment, run } = options;
  const kdcIds = yield* checkKdcsOf(options);
  const parts = files.parts();
  if (parts === undefined) return;
  const { config, principal } = parts;
  const http = newHadoopHttpClient(parts, { limits, clock });
  let spnego: SpnegoProcess | undefined;
  try {
    spnego =
      principal === undefined
        ? undefined
        : await newSpnegoProcess(
            { config, principal },
            { limits, clock, environment, onEvent: () => undefined },
          );
    yield* run.run([loginCheck(options, spnego, kdcIds)]);
    const sessions = spnego === undefined ? undefined : newSpnegoSessions(http, spnego, { limits, clock });
    for (const nameservice of parts.nameservices) {
      yield* checkNameservice(nameservice, { ...options, http, spnego, sessions });
    }
  } finally {
    await spnego?.close();
    http.close();
  }
}

/** @returns the checks that a login needs */
async function* checkKdcsOf(options: NetworkOptions): AsyncGenerator<Finding, readonly string[], undefined> {
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

function loginCheck(
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

interface NameserviceOptions extends NetworkOptions {
  readonly http: HadoopHttpClient;
  readonly spnego: SpnegoProcess | undefined;
  readonly sessions: SpnegoSessions | undefined;
}

async function* checkNameservice(
  nameservice: DerivedNameservice,
  options: NameserviceOptions,
): AsyncGenerator<Finding, void, undefined> {
  const { files, run, lookup } = options;
  const { name: cluster } = files.config;
  const targets = nameservice.endpoints.map((endpoint): NameNodeTarget => ({
    name: `${cluster}/${nameservice.name}/${endpoint.nameNodeId}`,
    origin: new URL(endpoint.baseUrl).origin,
    spnHost: endpoint.spnHost,
    addressProperty: `dfs.namenode.${endpoint.baseUrl.startsWith('https:') ? 'https' : 'http'}-address`,
  }));
  const hosts = [...new Set(targets.map(hostOf))];
  yield* run.run(
    hosts.map((host) => ({
      id: `name:${cluster}/${host}`,
      title: `Host name ${host}`,
      timeoutFix: 'See that DNS answers here',
      run: () => checkName(cluster, host, lookup),
    })),
  );
  const reachable = yield* checkWebOf(targets, options);
  for (const target of targets) yield* run.run(spnegoChecks(target, reachable.includes(target), options));
  const accepted = targets.filter(({ name }) => run.passed(`spnego:${name}`));
  yield* run.run([
    stateCheck(nameservice, accepted, options, reachable.length === 0 ? targets : reachable),
    tokenCheck(nameservice, options),
  ]);
}

const hostOf = ({ origin }: NameNodeTarget): string => new URL(origin).hostname.replaceAll(/[[\]]/gu, '');

/** @returns the NameNodes that answered */
async function* checkWebOf(
  targets: readonly NameNodeTarget[],
  { files, run, http, clock }: NameserviceOptions,
): AsyncGenerator<Finding, readonly NameNodeTarget[], undefined> {
  const { name: cluster } = files.config;
  let asked: Promise<readonly WebProbe[]> | undefined;
  const answered = new Map<NameNodeTarget, WebProbe>();
  for (const target of targets) {
    yield* run.run([
      {
        id: `namenode:${target.name}`,
        title: `NameNode ${target.origin}`,
        needs: [`name:${cluster}/${hostOf(target)}`],
        run: async (signal) => {
          // All at once: whether one that is away is a fault depends on the others.
          const resolved = targets.filter((each) => run.passed(`name:${cluster}/${hostOf(each)}`));
          asked ??= Promise.all(resolved.map((each) => probeWeb(each, { http, clock }, signal)));
          const probes = await asked;
          const probe = probes.find((each) => each.target === target);
          if (probe === undefined) return [];
          if (probe.reply !== undefined) answered.set(target, probe);
          const anotherAnswers = probes.some(({ reply }) => reply !== undefined);
          return judgeWeb(probe, { anotherAnswers });
        },
      },
      {
        id: `clock-namenode:${target.name}`,
        title: `Clock of the NameNode ${target.origin}`,
        run: () =>
          Promise.resolve(
            [...answered].flatMap(([each, probe]) => (each === target ? judgeWebClock(probe) : [])),
          ),
      },
    ]);
  }
  return [...answered.keys()];
}

function spnegoChecks(
  target: NameNodeTarget,
  isReachable: boolean,
  { files, spnego, sessions, limits }: NameserviceOptions,
): readonly Check[] {
  const { name: cluster } = files.config;
  const { negotiateTimeoutMs } = callLimits(limits);
  const renewer = files.parts()?.renewer;
  const spn: Check = {
    id: `spn:${target.name}`,
    title: `HTTP/${target.spnHost} at the KDC`,
    needs: [`login:${cluster}`],
    timeoutMs: negotiateTimeoutMs,
    run: async (signal) =>
      spnego === undefined
        ? []
        : checkSpn(
            {
              subject: target.name,
              spnego,
              spnHost: target.spnHost,
              addressProperty: target.addressProperty,
            },
            signal,
          ),
  };
  const accepted: Check = {
    id: `spnego:${target.name}`,
    title: `SPNEGO to ${target.origin}`,
    needs: [`namenode:${target.name}`, spn.id],
    // The NameNode may have a new key: then tickets are had anew.
    timeoutMs: 2 * (negotiateTimeoutMs + limits.hadoopCallTimeoutMs),
    run: async (signal) => {
      if (!isReachable) return [skipped(accepted, `namenode:${target.name} does not answer`)];
      if (sessions === undefined || renewer === undefined) return [];
      const session = sessions.at({ ...target, login: WEBHDFS_LOGIN });
      return checkSpnego({ target, session, renewer }, signal);
    },
  };
  return [spn, accepted];
}

function stateCheck(
  { name: nameservice }: DerivedNameservice,
  accepted: readonly NameNodeTarget[],
  { files, sessions }: NameserviceOptions,
  wanted: readonly NameNodeTarget[],
): Check {
  const { name: cluster } = files.config;
  return {
    id: `active:${cluster}/${nameservice}`,
    title: `An active NameNode of ${nameservice}`,
    needs: (accepted.length > 0 ? accepted : wanted).map(({ name }) => `spnego:${name}`),
    run: async (signal) => {
      if (sessions === undefined) return [];
      const nameNodes = accepted.map((target) => ({
        target,
        session: sessions.at({ ...target, login: WEBHDFS_LOGIN }),
      }));
      return checkState({ cluster, nameservice, nameNodes }, signal);
    },
  };
}

function tokenCheck(nameservice: DerivedNameservice, options: NameserviceOptions): Check {
  const { files, sessions, limits, clock, user } = options;
  const { name: cluster } = files.config;
  const where = `${cluster}/${nameservice.name}`;
  const subject = tokenSubjects(where, user ?? 'a user', files.parts()?.shortName ?? 'us').proxyUser;
  return {
    ...subject,
    needs: user === undefined ? [] : ['user', `active:${where}`],
    // Issued, renewed, cancelled.
    timeoutMs: callLimits(limits).flightTimeoutMs + 2 * limits.hadoopCallTimeoutMs,
    run: async (signal) => {
      if (user === undefined) {
        const detail =
          'add --user NAME (a person, such as yourself): a token is issued for them, renewed and cancelled';
        return [skipped(subject, detail)];
      }
      const { renewer, shortName: proxyUser } = files.parts() ?? {};
      if (sessions === undefined || renewer === undefined || proxyUser === undefined) return [];
      const tokenService = newTokenService(nameservice, sessions, { limits, clock, proxyUser });
      return checkToken(
        { cluster, nameservice: nameservice.name, tokenService, user, renewer, proxyUser, clock },
        signal,
      );
    },
  };
}
