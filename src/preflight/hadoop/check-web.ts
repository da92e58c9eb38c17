import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import type { HadoopHttpClient, HadoopHttpReply } from '../../hadoop/http/hadoop-http-client.ts';
import { refusalOf } from '../../hadoop/http/refusal-error.ts';
import { WEBHDFS_LOGIN } from '../../hadoop/webhdfs/webhdfs-token-service.ts';
import type { Clock } from '../../time/clock.ts';
import { clockFinding } from '../clock-skew.ts';
import type { Finding } from '../finding.ts';
import { failed, ok, skipped, type Subject, warning } from '../say.ts';

/** One NameNode, as the conf dir has it. */
export interface NameNodeTarget {
  /** `<cluster>/<nameservice>/<NameNode>`, for ids. */
  readonly name: string;
  /** `scheme://host:port` */
  readonly origin: string;
  /** Of `HTTP/<host>`. */
  readonly spnHost: string;
  /** The property that names its web address. */
  readonly addressProperty: string;
}

/** What came of asking a NameNode without any credentials. */
export interface WebProbe {
  readonly target: NameNodeTarget;
  readonly reply: HadoopHttpReply | undefined;
  /** Why there is no reply. */
  readonly error: TokenServiceError | undefined;
  readonly askedAt: number;
  readonly answeredAt: number;
}

const OPERATION = 'Check';

const KERBERIZE =
  'On every NameNode set hadoop.http.authentication.type = kerberos with hadoop.http.authentication.kerberos.principal (HTTP/_HOST@REALM) and hadoop.http.authentication.kerberos.keytab, ' +
  'and dfs.web.authentication.kerberos.principal and dfs.web.authentication.kerberos.keytab; then restart it';

/** Connects as serve does, TLS included, but shows no credentials. */
export async function probeWeb(
  target: NameNodeTarget,
  { http, clock }: { readonly http: HadoopHttpClient; readonly clock: Clock },
  signal: AbortSignal,
): Promise<WebProbe> {
  let askedAt = clock.now();
  const ask = () =>
    http.send({ method: 'GET', origin: target.origin, ...WEBHDFS_LOGIN, operation: OPERATION, signal });
  try {
    const first = await ask();
    // Once more on the same connection: the first reply may have waited for TLS and for a servlet to start.
    askedAt = clock.now();
    const reply = first.serverTime === undefined ? first : await ask();
    return { target, reply, error: undefined, askedAt, answeredAt: clock.now() };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof TokenServiceError)) throw error;
    return { target, reply: undefined, error, askedAt, answeredAt: clock.now() };
  }
}

/**
 * Whether it answers, and whether its HTTP filter wants Kerberos. One of a pair that is out of reach is a warning as long
 * as the other one answers.
 */
export function judgeWeb(
  { target, reply, error }: WebProbe,
  { anotherAnswers }: { readonly anotherAnswers: boolean },
): readonly Finding[] {
  const subject: Subject = { id: `namenode:${target.name}`, title: `NameNode ${target.origin}` };
  if (reply === undefined) {
    const detail = error?.message ?? 'no reply';
    const fix = error?.fix ?? 'Look at the log of the NameNode, and at what is between it and this host';
    return [anotherAnswers ? warning(subject, detail, fix) : failed(subject, detail, fix)];
  }
  return [
    ok(subject, `answers${target.origin.startsWith('https:') ? ', and its certificate is trusted' : ''}`),
    judgeFilter(target, reply),
  ];
}

function judgeFilter(target: NameNodeTarget, reply: HadoopHttpReply): Finding {
  const subject = {
    id: `http-authentication:${target.name}`,
    title: `HTTP authentication of ${target.origin}`,
  };
  const { status, wwwAuthenticate } = reply;
  if (status === 401 && /(?:^|,)\s*Negotiate\b/iu.test(wwwAuthenticate))
    return ok(subject, 'Kerberos (SPNEGO)');
  const refusal = refusalOf(reply);
  if (refusal === undefined) {
    return failed(subject, `it answers ${status} to somebody who has not said who he is`, KERBERIZE);
  }
  const detail = `HTTP ${status} without Negotiate: ${refusal.message}`;
  // An authentication filter, but another one; or none, and WebHDFS itself says that there should be one.
  const isFilter = refusal.failure === 'authentication' || status === 401;
  return failed(
    subject,
    detail,
    isFilter ? KERBERIZE : (refusal.fix ?? `Look at what listens at ${target.origin}`),
  );
}

/** The clock of a NameNode that answered, by the Date of its reply. */
export function judgeWebClock({ target, reply, askedAt, answeredAt }: WebProbe): readonly Finding[] {
  if (reply === undefined) return [];
  const id = `clock-namenode:${target.name}`;
  const whose = `the NameNode ${target.origin}`;
  const { serverTime } = reply;
  return [
    serverTime === undefined
      ? skipped({ id, title: `Clock of ${whose}` }, 'its replies have no Date')
      : clockFinding({ id, whose, serverTime, askedAt, answeredAt }),
  ];
}
