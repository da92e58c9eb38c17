import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import type {
  CallOptions,
  DelegationToken,
  IssueRequest,
  TokenService,
} from '../../delegation-tokens/token-service.ts';
import { verifyIssuedToken } from '../../delegation-tokens/verify-issued-token.ts';
import { Secret } from '../../observability/secret.ts';
import type { Clock } from '../../time/clock.ts';
import { CodecError } from '../codec/codec-error.ts';
import { toDelegationToken, toToken } from '../codec/delegation-token.ts';
import { decodeTokenUrlString, encodeTokenUrlString } from '../codec/token.ts';
import { DEFAULT_CALL_TIMEOUT_MS } from '../http/hadoop-http-client.ts';
import type { HadoopHttpReply } from '../http/hadoop-http-client.ts';
import { memberOf, parseHadoopJson } from '../http/parse-json.ts';
import { refusalError, refusalOf } from '../http/refusal-error.ts';
import type { SessionRequest, SpnegoSession } from '../http/spnego-session.ts';
import type { SpnegoSessions } from '../http/spnego-sessions.ts';
import { assertShortName } from '../short-name.ts';
import { Failover } from './failover.ts';
import type { NameNode } from './name-node.ts';

export const HDFS_DELEGATION_TOKEN = 'HDFS_DELEGATION_TOKEN';

const PATH = '/webhdfs/v1/';
/** Answers on a standby too, and needs no more rights than to be somebody. */
export const WEBHDFS_LOGIN = { path: PATH, query: { op: 'GETHOMEDIRECTORY' } };

export interface WebHdfsTokenServiceOptions {
  /** All NameNodes of one nameservice (or the Routers before it), at least one. */
  readonly nameNodes: readonly NameNode[];
  readonly sessions: SpnegoSessions;
  /** Our own short name, as the NameNodes' auth_to_local makes it: what a token's `realUser` may be. */
  readonly proxyUser: string;
  /** The label under which clients look the token up, for example `ha-hdfs:prod`; the first one where there are several. */
  readonly service: string;
  /** Default `HDFS_DELEGATION_TOKEN`: what hdfs:// clients want, and not what WebHDFS gives unasked. */
  readonly kind?: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly rounds?: number;
  readonly backoffMs?: number;
  /** How long one call to a NameNode takes at most; default 20 s. */
  readonly callTimeoutMs?: number;
}

/**
 * Delegation tokens of one HDFS nameservice through WebHDFS (`NamenodeWebHdfsMethods`, Hadoop 2.x and 3.x).
 *
 * `issue` hands out only what {@link verifyIssuedToken} accepts: this is where it is known as whom we asked (realUser).
 * The core calls the same function for every token service, this one included.
 */
export class WebHdfsTokenService implements TokenService {
  readonly kind: string;
  readonly #service: string;
  readonly #proxyUser: string;
  readonly #sessions: SpnegoSessions;
  readonly #failover: Failover<NameNode>;

  constructor(options: WebHdfsTokenServiceOptions) {
    this.kind = options.kind ?? HDFS_DELEGATION_TOKEN;
    this.#service = options.service;
    this.#proxyUser = options.proxyUser;
    this.#sessions = options.sessions;
    this.#failover = new Failover({
      members: options.nameNodes,
      nameOf: ({ id, origin }) => `${id} (${origin})`,
      isKnownTo: (nameNode) => this.#sessionOf(nameNode).hasCookie,
      askTimeoutMs: options.callTimeoutMs ?? DEFAULT_CALL_TIMEOUT_MS,
      clock: options.clock,
      random: options.random,
      ...(options.rounds === undefined ? {} : { rounds: options.rounds }),
      ...(options.backoffMs === undefined ? {} : { backoffMs: options.backoffMs }),
    });
  }

  async issue(request: IssueRequest, options: CallOptions = {}): Promise<DelegationToken> {
    const { owner, renewer } = request;
    assertShortName('owner', owner);
    assertShortName('renewer', renewer);
    const operation = 'GETDELEGATIONTOKEN';
    const query = { op: operation, doas: owner, renewer, service: this.#service, kind: this.kind };
    return await this.#call(
      // Done twice, it makes two tokens.
      { method: 'GET', path: PATH, query, operation, isRepeatable: false },
      options,
      (reply, endpoint) => {
        const delegationToken = readToken(reply, operation, endpoint);
        try {
          verifyIssuedToken(delegationToken, { owner, renewer, kind: this.kind, proxyUser: this.#proxyUser });
        } catch (error) {
          throw at(error, operation, endpoint);
        }
        return { ...delegationToken, service: this.#service };
      },
    );
  }

  async renew(
    delegationToken: DelegationToken,
    options: CallOptions = {},
  ): Promise<{ readonly expiresAt: bigint }> {
    const operation = 'RENEWDELEGATIONTOKEN';
    return await this.#call(this.#manage(operation, delegationToken), options, (reply, endpoint) => {
      const long = memberOf(parseBody(reply), 'long');
      if (typeof long !== 'bigint' || long <= 0n) {
        throw new TokenServiceError(
          'wrong-token',
          `${operation} at ${endpoint}: the answer is no new expiry`,
          { endpoint },
        );
      }
      // Nothing lives longer than its maxDate; a later date would only make us miss it.
      return { expiresAt: long < delegationToken.maxDate ? long : delegationToken.maxDate };
    });
  }

  async cancel(delegationToken: DelegationToken, options: CallOptions = {}): Promise<void> {
    const operation = 'CANCELDELEGATIONTOKEN';
    try {
      await this.#call(
        this.#manage(operation, delegationToken),
        { urgency: 'cancel', ...options },
        () => undefined,
      );
    } catch (error) {
      // Cancelled before, by somebody else or by a try of ours whose reply was lost; or expired and removed.
      if (error instanceof TokenServiceError && isNotFound(error)) return;
      throw error;
    }
  }

  #manage(operation: string, delegationToken: DelegationToken): SessionRequest {
    const query = { op: operation, token: encode(delegationToken, operation) };
    return { method: 'PUT', path: PATH, query, operation };
  }

  #sessionOf({ origin, spnHost }: NameNode): SpnegoSession {
    return this.#sessions.at({ origin, spnHost, login: WEBHDFS_LOGIN });
  }

  async #call<Result>(
    request: SessionRequest,
    { signal, deadline, urgency }: CallOptions,
    read: (reply: HadoopHttpReply, endpoint: string) => Result,
  ): Promise<Result> {
    const { operation, isRepeatable } = request;
    const ask = async (nameNode: NameNode): Promise<Result> => {
      const session = this.#sessionOf(nameNode);
      let reply: HadoopHttpReply;
      try {
        reply = await session.send({ ...request, signal, urgency });
      } catch (error) {
        // Our time is up: what it was spent on is worth more than that.
        throw (signal?.aborted === true ? session.ticketAwaited : undefined) ?? error;
      }
      const refusal = refusalOf(reply);
      if (refusal !== undefined) throw refusalError(operation, session.origin, refusal, isRepeatable);
      return read(reply, session.origin);
    };
    return await this.#failover.run(ask, { signal, deadline });
  }
}

function encode(delegationToken: DelegationToken, operation: string): Secret<string> {
  try {
    return new Secret(encodeTokenUrlString(toToken(delegationToken, delegationToken.service)));
  } catch (error) {
    const why = error instanceof CodecError ? error.message : 'unknown reason';
    throw new TokenServiceError('bad-request', `${operation}: the token cannot be encoded: ${why}`);
  }
}

function isNotFound(error: TokenServiceError): boolean {
  return error.failure === 'invalid-token' && /\bToken not found\b/iu.test(error.message);
}

/** `{"Token":{"urlString":"..."}}`, as `JsonUtil.toJsonString(Token)` writes it. */
function readToken(reply: HadoopHttpReply, operation: string, endpoint: string): DelegationToken {
  const answer = memberOf(parseBody(reply), 'Token');
  if (answer === null) {
    throw new TokenServiceError('wrong-token', `${operation} at ${endpoint}: the server gives no tokens`, {
      endpoint,
      fix: 'A NameNode issues delegation tokens only with hadoop.security.authentication=kerberos.',
    });
  }
  const urlString = memberOf(answer, 'urlString');
  if (typeof urlString !== 'string') {
    throw new TokenServiceError('wrong-token', `${operation} at ${endpoint}: the answer holds no token`, {
      endpoint,
    });
  }
  try {
    return toDelegationToken(decodeTokenUrlString(urlString));
  } catch (error) {
    const why = error instanceof CodecError ? error.message : 'it cannot be read';
    throw new TokenServiceError(
      'wrong-token',
      `${operation} at ${endpoint}: the answer is no token: ${why}`,
      { endpoint },
    );
  }
}

/** Undefined for what is not JSON: the parser's own error quotes the body. */
function parseBody(reply: HadoopHttpReply): unknown {
  try {
    return parseHadoopJson(reply.body.reveal());
  } catch {
    return undefined;
  }
}

/** The same refusal with the place it came from. */
function at(error: unknown, operation: string, endpoint: string): unknown {
  if (!(error instanceof TokenServiceError)) return error;
  return new TokenServiceError(error.failure, `${operation} at ${endpoint}: ${error.message}`, {
    endpoint,
    ...(error.fix === undefined ? {} : { fix: error.fix }),
  });
}
