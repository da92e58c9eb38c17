import type { ClusterConfig } from '../../config/serve-config.ts';
import { callLimits } from '../../hadoop/call-limits.ts';
import type { HadoopHttpClient } from '../../hadoop/http/hadoop-http-client.ts';
import type { SpnegoSessions } from '../../hadoop/http/spnego-sessions.ts';
import { WEBHDFS_LOGIN } from '../../hadoop/webhdfs/webhdfs-token-service.ts';
import type { SpnegoProcess } from '../../kerberos/spnego-process.ts';
import type { Check, CheckRun } from '../../preflight/check.ts';
import type { Finding } from '../../preflight/finding.ts';
import { checkName } from '../../preflight/hadoop/check-names.ts';
import { checkSpnego } from '../../preflight/hadoop/check-spnego.ts';
import { checkState } from '../../preflight/hadoop/check-state.ts';
import {
  checkToken,
  tokenGraceMs,
  tokenMayBeLeft,
  tokenSubjects,
} from '../../preflight/hadoop/check-token.ts';
import { judgeWeb, type NameNodeTarget, probeWeb, type WebProbe } from '../../preflight/hadoop/check-web.ts';
import { checkSpn } from '../../preflight/kerberos/check-login.ts';
import { skipped } from '../../preflight/say.ts';
import type { DerivedNameservice } from '../serve/derive-cluster.ts';
import { newTokenService } from '../serve/hadoop-clients.ts';
import type { NetworkOptions } from './cluster-network.ts';

export interface NameserviceOptions extends NetworkOptions {
  readonly http: HadoopHttpClient;
  readonly spnego: SpnegoProcess | undefined;
  readonly sessions: SpnegoSessions | undefined;
}

/** The NameNodes of one nameservice, and a token of it. */
export async function* checkNameservice(
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

export interface WebOptions {
  readonly files: { readonly config: Pick<ClusterConfig, 'name'> };
  readonly run: CheckRun;
  readonly http: Pick<HadoopHttpClient, 'send'>;
}

/** @returns the NameNodes that answered */
export async function* checkWebOf(
  targets: readonly NameNodeTarget[],
  { files, run, http }: WebOptions,
): AsyncGenerator<Finding, readonly NameNodeTarget[], undefined> {
  const nameOf = (target: NameNodeTarget): string => `name:${files.config.name}/${hostOf(target)}`;
  const answered: NameNodeTarget[] = [];
  let asked: Promise<readonly WebProbe[]> | undefined;
  yield* run.run(
    targets.map((target): Check => ({
      id: `namenode:${target.name}`,
      title: `NameNode ${target.origin}`,
      needs: [nameOf(target)],
      run: async (signal) => {
        // All at once: whether one that is away is a fault depends on the others.
        const resolved = targets.filter((each) => run.passed(nameOf(each)));
        asked ??= Promise.all(resolved.map((each) => probeWeb(each, http, signal)));
        const probes = await asked;
        const anotherAnswers = probes.some(({ reply }) => reply !== undefined);
        return probes
          .filter((probe) => probe.target === target)
          .flatMap((probe) => {
            if (probe.reply !== undefined) answered.push(target);
            return judgeWeb(probe, { anotherAnswers });
          });
      },
    })),
  );
  return answered;
}

function spnegoChecks(
  target: NameNodeTarget,
  isReachable: boolean,
  { files, spnego, sessions, limits, clock }: NameserviceOptions,
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
  let clockFound: Finding | undefined;
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
      const result = await checkSpnego({ target, session, renewer, clock }, signal);
      clockFound = result.clock;
      return result.findings;
    },
  };
  const clockCheck: Check = {
    id: `clock-namenode:${target.name}`,
    title: `Clock of the NameNode ${target.origin}`,
    needs: [accepted.id],
    run: () => Promise.resolve(clockFound === undefined ? [] : [clockFound]),
  };
  return [spn, accepted, clockCheck];
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
    graceMs: tokenGraceMs(limits.hadoopCallTimeoutMs),
    ...(user === undefined ? {} : { mayLeave: tokenMayBeLeft(user) }),
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
