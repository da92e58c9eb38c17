import type { TokenServiceFailure } from '../delegation-tokens/token-service.ts';
import { authenticationFix, remedyFor } from './authentication-trouble.ts';
import type { Remedy } from './authentication-trouble.ts';
import { proxyUserFix } from './proxy-user-fix.ts';
import { readServerException } from './server-exception.ts';
import type { HadoopReplyText, ServerException } from './server-exception.ts';

/** Why a Hadoop daemon did not do what it was asked, in words fit for a log. */
export interface HadoopRefusal {
  readonly failure: TokenServiceFailure;
  /** Simple Java class name, if the server named one. */
  readonly exception: string | undefined;
  readonly message: string;
  /** What the operator can do, if that is known. */
  readonly fix: string | undefined;
  /** Of an `authentication` failure: what may let the same request pass at once. */
  readonly remedy: Remedy | undefined;
}

interface Verdict {
  readonly failure: TokenServiceFailure;
  readonly fix?: string | undefined;
}

const NOT_ACTIVE: Verdict = {
  failure: 'not-active',
  fix: 'Check that one NameNode (or Router) is active: hdfs haadmin -getAllServiceState; and that the Hadoop conf dir names all of them.',
};
const SAFE_MODE: Verdict = {
  failure: 'safe-mode',
  fix: 'The NameNode leaves safe mode once enough blocks are reported: hdfs dfsadmin -safemode get, and its log, tell what it waits for.',
};

/**
 * One rule book for the replies of NameNode, Router, HttpFS, KMS and ResourceManager. Undefined for 2xx.
 *
 * The status says little: a NameNode answers 403 to nearly everything, also when it is standby. So the exception's name
 * decides where there is one, and a 403 with an HTML page is trouble of the authentication filter
 * (`AuthenticationFilter.doFilter`), not an answer of the service.
 */
export function classifyHadoopReply(reply: HadoopReplyText): HadoopRefusal | undefined {
  if (reply.status >= 200 && reply.status < 300) return undefined;
  const said = readServerException(reply);
  const verdict = byLayer(reply.status, said) ?? byText(said) ?? byException(said) ?? byStatus(reply.status);
  return {
    failure: verdict.failure,
    exception: said.exception,
    message: said.message === '' ? `HTTP ${reply.status} without an explanation` : said.message,
    fix: verdict.fix,
    remedy: verdict.failure === 'authentication' ? remedyFor(said.message) : undefined,
  };
}

/** What KMS answers with to its token operations: an empty body, the exception in the reason phrase. */
const IN_REASON_PHRASE = new Set<string | undefined>([
  'InvalidToken',
  'AccessControlException',
  'AuthorizationException',
]);

function byLayer(status: number, said: ServerException): Verdict | undefined {
  const isFilter = said.form === 'page' || (said.form === 'reason' && !IN_REASON_PHRASE.has(said.exception));
  if (status === 401 || (status === 403 && isFilter)) {
    return { failure: 'authentication', fix: authenticationFix(said) };
  }
  return undefined;
}

/** Texts that mean one thing, whatever exception carries them. */
function byText(said: ServerException): Verdict | undefined {
  const { message } = said;
  const fix = proxyUserFix(message);
  if (fix !== undefined) return { failure: 'denied', fix };
  if (/Security enabled but user not authenticated by filter/iu.test(message)) {
    return {
      failure: 'authentication',
      fix: 'Set hadoop.http.authentication.type=kerberos, with its principal and keytab, on every NameNode and restart it.',
    };
  }
  if (/only with kerberos or web authentication/iu.test(message)) {
    return { failure: 'authentication', fix: authenticationFix(said) };
  }
  if (/^This is standby RM\b/iu.test(message)) return NOT_ACTIVE;
  // An HTTP server whose NameNode is still to come, or going.
  if (/^Name ?node (?:is|has) not (?:been )?(?:yet )?started\b/iu.test(message)) return NOT_ACTIVE;
  if (/^Invalid delegation token, cannot cancel/iu.test(message)) return { failure: 'invalid-token' };
  if (/with non-matching renewer/iu.test(message)) {
    return {
      failure: 'denied',
      fix: 'The server knows us by another short name than the renewer we ask for: set the renewer of this cluster to what hadoop.security.auth_to_local of the server makes of our principal.',
    };
  }
  // The user of a request and that of the token it came with (JspHelper.checkUsername).
  if (/^Usernames not matched\b/iu.test(message)) return { failure: 'denied' };
  return undefined;
}

function byException(said: ServerException): Verdict | undefined {
  const { exception, message } = said;
  switch (exception) {
    case 'StandbyException':
    case 'ObserverRetryOnActiveException':
    // One Router is cut off from its state store; another may not be. A StandbyException by type.
    case 'RouterSafeModeException':
      return NOT_ACTIVE;
    case 'RetriableException':
      // An active NameNode of an HA pair wraps its safe mode (FSNamesystem.newSafemodeException, HDFS-5322).
      return names(message, 'SafeModeException') ? SAFE_MODE : NOT_ACTIVE;
    case 'SafeModeException':
      return SAFE_MODE;
    case 'InvalidToken':
      return byNested(`InvalidToken: ${message}`) ?? { failure: 'invalid-token' };
    case 'AuthorizationException':
      return { failure: 'denied' };
    case 'AccessControlException':
      // No caller can renew a token whose password is wrong, so asking again or as another is no use.
      return { failure: message.endsWith('with wrong password') ? 'invalid-token' : 'denied' };
    case 'AuthenticationException':
      return { failure: 'authentication', fix: authenticationFix(said) };
    case 'EOFException':
      // Without a text it is the reading of our token string that hit the end; with one, a connection did.
      return { failure: message === '' ? 'bad-request' : 'unreachable' };
    case 'IllegalArgumentException':
    // A token string whose lengths make no sense (Token.readFields).
    case 'NegativeArraySizeException':
    case 'NoMatchingRule':
    case 'ParamException':
    case 'UnsupportedOperationException':
      return { failure: 'bad-request' };
    case 'ConnectException':
    case 'ConnectTimeoutException':
    case 'SocketTimeoutException':
    case 'NoRouteToHostException':
    case 'UnknownHostException':
    case 'NoNamenodesAvailableException':
    case 'StateStoreUnavailableException':
      return { failure: 'unreachable' };
    case 'BadRequestException':
      return byNested(message) ?? { failure: 'bad-request' };
    case 'SecurityException':
    case 'IOException':
    case 'RemoteException':
    case undefined:
      return byNested(message);
    default:
      return undefined;
  }
}

/** An exception whose text is another one's, as `SecurityException: Failed to obtain user group information: ...`. */
function byNested(message: string): Verdict | undefined {
  // A secret manager that may not look says so in the only exception it may throw, by the simple name
  // (DelegationTokenSecretManager.retrievePassword).
  if (/\bInvalidToken: (?:Standby|Retriable)Exception$/u.test(message)) return NOT_ACTIVE;
  if (names(message, 'StandbyException') || names(message, 'RetriableException')) return NOT_ACTIVE;
  if (names(message, 'SafeModeException')) return SAFE_MODE;
  if (names(message, 'InvalidToken')) return { failure: 'invalid-token' };
  if (names(message, 'EOFException')) return { failure: 'bad-request' };
  if (names(message, 'AuthorizationException') || names(message, 'AccessControlException'))
    return { failure: 'denied' };
  return undefined;
}

/** With its package, so that a user called InvalidToken is not taken for one. */
function names(message: string, exception: string): boolean {
  return new RegExp(
    String.raw`\b(?:org\.apache\.hadoop|java)(?:\.\w+)*[.$](?:\w+\$)?${exception}\b`,
    'u',
  ).test(message);
}

function byStatus(status: number): Verdict {
  if (status >= 500 || status === 408 || status === 429) return { failure: 'unreachable' };
  if (status >= 300 && status < 400) {
    return {
      failure: 'bad-request',
      fix: 'The address answers with a redirect, which is never followed: give the address of the Hadoop daemon itself, with the scheme it serves.',
    };
  }
  // Final is only a refusal that we know for one: this may be a proxy, or a Hadoop whose words are new to us.
  if (status === 403) {
    return {
      failure: 'unreachable',
      fix: 'That 403 is none that Hadoop is known to give: check for a proxy or a firewall between this pod and the Hadoop daemon, and see the log of the daemon.',
    };
  }
  if (status === 404) {
    return {
      failure: 'bad-request',
      fix: 'Nothing answers at that path: check that the address is the daemon’s HTTP address, and for a NameNode that dfs.webhdfs.enabled is not false.',
    };
  }
  return { failure: 'bad-request' };
}
