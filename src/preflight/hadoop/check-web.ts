import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import type { HadoopHttpClient, HadoopHttpReply } from '../../hadoop/http/hadoop-http-client.ts';
import { refusalOf } from '../../hadoop/http/refusal-error.ts';
import { WEBHDFS_LOGIN } from '../../hadoop/webhdfs/webhdfs-token-service.ts';
import { CheckTimeoutError } from '../check.ts';
import type { Finding } from '../finding.ts';
import { failed, ok, type Subject, warning } from '../say.ts';

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
}

const OPERATION = 'Check';

const KERBERIZE =
  'On every NameNode set hadoop.http.authentication.type = kerberos with hadoop.http.authentication.kerberos.principal (HTTP/_HOST@REALM) and hadoop.http.authentication.kerberos.keytab, ' +
  'and dfs.web.authentication.kerberos.principal and dfs.web.authentication.kerberos.keytab; then restart it';

/**
 * Connects as serve does, TLS included, but shows no credentials. When the check's time is up that is an answer like
 * others: those who did answer are not lost with one that is silent.
 */
export async function probeWeb(
  target: NameNodeTarget,
  http: Pick<HadoopHttpClient, 'send'>,
  signal: AbortSignal,
): Promise<WebProbe> {
  try {
    const { origin } = target;
    const reply = await http.send({ method: 'GET', origin, ...WEBHDFS_LOGIN, operation: OPERATION, signal });
    return { target, reply, error: undefined };
  } catch (error) {
    const ended: unknown = signal.reason;
    if (ended instanceof CheckTimeoutError) {
      const message = `no answer within ${ended.timeoutMs / 1000} s`;
      return { target, reply: undefined, error: new TokenServiceError('unreachable', message) };
    }
    signal.throwIfAborted();
    if (!(error instanceof TokenServiceError)) throw error;
    return { target, reply: undefined, error };
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
