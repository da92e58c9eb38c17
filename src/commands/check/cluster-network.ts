import type { ServeConfig } from '../../config/serve-config.ts';
import type { LookupAddresses } from '../../hadoop/conf-dir/token-service-names.ts';
import type { AskKdc } from '../../kerberos/kdc/ask-kdc.ts';
import type { SpnegoProcess } from '../../kerberos/spnego-process.ts';
import type { CheckRun } from '../../preflight/check.ts';
import type { Finding } from '../../preflight/finding.ts';
import type { ResolveSrv } from '../../preflight/kerberos/find-kdcs.ts';
import type { Clock } from '../../time/clock.ts';
import { newHadoopHttpClient, newSpnegoProcess, newSpnegoSessions } from '../serve/hadoop-clients.ts';
import type { ClusterFiles } from './cluster-files.ts';
import { checkKdcsOf, loginCheck } from './cluster-kerberos.ts';
import { checkNameservice } from './cluster-nameservice.ts';

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
