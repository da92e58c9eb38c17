import { withDeadline } from '../../concurrency/deadline.ts';
import {
  type DelegationToken,
  type TokenService,
  TokenServiceError,
} from '../../delegation-tokens/token-service.ts';
import { verifyIssuedToken } from '../../delegation-tokens/verify-issued-token.ts';
import type { Clock } from '../../time/clock.ts';
import { CheckTimeoutError } from '../check.ts';
import type { Finding } from '../finding.ts';
import { failed, ok, skipped, type Subject, warning } from '../say.ts';
import { judgeLifetimes } from './judge-lifetimes.ts';

export interface TokenCheckOptions {
  readonly cluster: string;
  readonly nameservice: string;
  readonly tokenService: TokenService;
  /** For whom a token is issued. */
  readonly user: string;
  readonly renewer: string;
  /** Our short name. */
  readonly proxyUser: string;
  readonly clock: Clock;
  /** For the cancelling, which is not ended with the check. */
  readonly cancelTimeoutMs?: number;
}

const DEFAULT_CANCEL_TIMEOUT_MS = 4_000;
const GRACE_MARGIN_MS = 2_000;

/** When its time is up: for the reply to a call just made, which may hold a token, and then for the cancelling. */
export const tokenGraceMs = (hadoopCallTimeoutMs: number): number =>
  hadoopCallTimeoutMs + DEFAULT_CANCEL_TIMEOUT_MS + GRACE_MARGIN_MS;

/** What there is to say when not even that was enough. */
export const tokenMayBeLeft = (user: string) => ({
  detail: `a token of ${user} that was asked for may have been issued and not cancelled`,
  fix: 'Nobody has that token, and it ends by itself at the end of the renew interval (dfs.namenode.delegation.token.renew-interval); see why the NameNode is that slow, then check again',
});

interface Subjects {
  readonly proxyUser: Subject;
  readonly renewal: Subject;
  readonly lifetimes: Subject;
  readonly cancel: Subject;
}

export function tokenSubjects(where: string, user: string, proxyUser: string): Subjects {
  return {
    proxyUser: { id: `proxy-user:${where}`, title: `A token of ${user}, asked for by ${proxyUser}` },
    renewal: { id: `renewal:${where}`, title: 'Renewal of that token' },
    lifetimes: { id: `lifetimes:${where}`, title: 'Lifetimes of delegation tokens' },
    cancel: { id: `cancel:${where}`, title: 'Cancellation of that token' },
  };
}

/**
 * Has a token issued for the user, renews it and cancels it. Nobody else ever has that token, so nobody loses anything by
 * its end; and it is cancelled whatever becomes of the rest, also when the signal ends the check.
 */
export async function checkToken(
  options: TokenCheckOptions,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { cluster, nameservice, tokenService, user, renewer, proxyUser } = options;
  const subjects = tokenSubjects(`${cluster}/${nameservice}`, user, proxyUser);
  let token: DelegationToken;
  try {
    // Not ended with the signal: a token whose reply we don't wait for is one that nobody can cancel.
    token = await tokenService.issue({ owner: user, renewer });
  } catch (error) {
    return [notIssued(subjects.proxyUser, error, options)];
  }
  let findings: readonly Finding[];
  try {
    signal.throwIfAborted();
    findings = [
      judgeToken(subjects.proxyUser, token, options),
      ...(await renew(token, subjects, options, signal)),
    ];
  } catch (error) {
    const cancelled = await cancel(token, subjects.cancel, options);
    // Our time is up: that the token is gone is still told.
    if (signal.aborted) {
      return [unfinished(subjects.renewal, signal.reason), cancelled];
    }
    throw error;
  }
  return [...findings, await cancel(token, subjects.cancel, options)];
}

function unfinished(subject: Subject, reason: unknown): Finding {
  if (!(reason instanceof CheckTimeoutError)) return skipped(subject, 'the run was ended');
  const fix = 'See why the NameNode is that slow, or give it longer with --timeout';
  return failed(subject, 'no end in time', fix);
}

function notIssued(subject: Subject, error: unknown, { proxyUser, user }: TokenCheckOptions): Finding {
  if (!(error instanceof TokenServiceError)) throw error;
  const lost = error.mayHaveActed
    ? '; it may have been issued all the same, nobody has it then, and it ends at the end of the renew interval'
    : '';
  const fix = error.fix ?? 'See the log of the active NameNode: it says why';
  const isProxyUser = error.failure === 'denied' && /hadoop\.proxyuser\./u.test(fix);
  const both = /\.hosts contain/u.test(fix)
    ? ''
    : ` Also let hadoop.proxyuser.${proxyUser}.hosts contain the address of this host: the NameNode looks at that afterwards, and without it refuses ${user} too.`;
  return failed(subject, `${error.message}${lost}`, isProxyUser ? `${fix}${both}` : fix);
}

function judgeToken(subject: Subject, token: DelegationToken, options: TokenCheckOptions): Finding {
  const { user: owner, renewer, proxyUser, tokenService } = options;
  const { kind, sequenceNumber } = token;
  try {
    verifyIssuedToken(token, { owner, renewer, kind: tokenService.kind, proxyUser });
  } catch (error) {
    if (!(error instanceof TokenServiceError)) throw error;
    return failed(subject, error.message, error.fix ?? 'Look at what is between here and the NameNode');
  }
  return ok(
    subject,
    `issued and verified: ${kind}, owner ${owner}, renewer ${renewer}, sequence number ${sequenceNumber}`,
  );
}

async function renew(
  token: DelegationToken,
  { renewal, lifetimes }: Subjects,
  { tokenService, clock, renewer }: TokenCheckOptions,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    // What the server's clock is ahead of ours: all dates are its own.
    const aheadMs = Number(token.issueDate) - clock.now();
    const { expiresAt } = await tokenService.renew(token, { signal });
    const renewIntervalMs = Number(expiresAt) - (clock.now() + aheadMs);
    const maxLifetimeMs = Number(token.maxDate - token.issueDate);
    const isCapped = expiresAt >= token.maxDate;
    return [
      ok(renewal, `renewed by ${renewer}`),
      judgeLifetimes(lifetimes, { renewIntervalMs, maxLifetimeMs, isCapped }),
    ];
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof TokenServiceError)) throw error;
    const fix =
      error.failure === 'denied'
        ? `The renewer must be the name that the NameNode's hadoop.security.auth_to_local makes of our principal: set renewer of this cluster to that name (it is ${renewer} now)`
        : (error.fix ?? 'See the log of the active NameNode: it says why');
    return [failed(renewal, error.message, fix), skipped(lifetimes, `${renewal.id} failed`)];
  }
}

async function cancel(
  token: DelegationToken,
  subject: Subject,
  { tokenService, clock, cancelTimeoutMs: timeoutMs = DEFAULT_CANCEL_TIMEOUT_MS }: TokenCheckOptions,
): Promise<Finding> {
  const { sequenceNumber } = token;
  try {
    await withDeadline(
      {
        clock,
        timeoutMs,
        onTimeout: () => new TokenServiceError('unreachable', `no answer within ${timeoutMs} ms`),
      },
      (ended) => tokenService.cancel(token, { signal: ended }),
    );
    return ok(subject, 'cancelled: nothing is left of this check');
  } catch (error) {
    if (!(error instanceof TokenServiceError)) throw error;
    return warning(
      subject,
      `token ${sequenceNumber} is still valid: ${error.message}`,
      `Nobody has that token, and it ends by itself at the end of the renew interval; ${error.fix ?? 'see the log of the active NameNode'}`,
    );
  }
}
