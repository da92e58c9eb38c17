import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import { memberOf, parseHadoopJson } from '../../hadoop/http/parse-json.ts';
import { refusalOf } from '../../hadoop/http/refusal-error.ts';
import type { HadoopHttpReply } from '../../hadoop/http/hadoop-http-client.ts';
import type { SpnegoSession } from '../../hadoop/http/spnego-session.ts';
import { WEBHDFS_LOGIN } from '../../hadoop/webhdfs/webhdfs-token-service.ts';
import type { Clock } from '../../time/clock.ts';
import { clockFinding } from '../clock-skew.ts';
import type { Finding } from '../finding.ts';
import { failed, ok, skipped, type Subject, warning } from '../say.ts';
import type { NameNodeTarget } from './check-web.ts';

export interface SpnegoCheckOptions {
  readonly target: NameNodeTarget;
  readonly session: Pick<SpnegoSession, 'send'>;
  /** Who is to renew our tokens: the NameNode must know us by that name. */
  readonly renewer: string;
  readonly clock: Clock;
}

export interface SpnegoResult {
  readonly findings: readonly Finding[];
  /** Of the NameNode's clock, if it took our ticket: to others it doesn't tell the time. */
  readonly clock: Finding | undefined;
}

const FALLBACK = 'See the log of the NameNode: it says why it does not take our ticket';

/** Whether the NameNode takes our ticket, and by which name it knows us. */
export async function checkSpnego(
  { target, session, renewer, clock }: SpnegoCheckOptions,
  signal: AbortSignal,
): Promise<SpnegoResult> {
  const subject: Subject = {
    id: `spnego:${target.name}`,
    title: `SPNEGO to ${target.origin} (HTTP/${target.spnHost})`,
  };
  const request = { method: 'GET', ...WEBHDFS_LOGIN, operation: 'GETHOMEDIRECTORY', signal } as const;
  const refused = (detail: string, fix = FALLBACK): SpnegoResult => ({
    findings: [failed(subject, detail, fix)],
    clock: undefined,
  });
  try {
    const first = await session.send(request);
    const refusal = refusalOf(first);
    if (refusal !== undefined) {
      const what = refusal.exception ?? refusal.failure;
      return refused(`HTTP ${first.status}: ${what}: ${refusal.message}`, refusal.fix);
    }
    // Once more, by cookie: the first reply has waited for a ticket.
    const askedAt = clock.now();
    const { serverTime } = await session.send(request);
    const id = `clock-namenode:${target.name}`;
    const whose = `the NameNode ${target.origin}`;
    return {
      findings: [ok(subject, 'accepted'), judgeName(target, shortNameIn(first), renewer)],
      clock:
        serverTime === undefined
          ? skipped({ id, title: `Clock of ${whose}` }, 'its replies have no Date')
          : clockFinding({ id, whose, serverTime, askedAt, answeredAt: clock.now() }),
    };
  } catch (error) {
    if (!(error instanceof TokenServiceError)) throw error;
    return refused(error.message, error.fix);
  }
}

function judgeName(target: NameNodeTarget, name: string | undefined, renewer: string): Finding {
  const subject = { id: `short-name:${target.name}`, title: `Our short name at ${target.origin}` };
  if (name === undefined) {
    const fix = 'Look at what answers there: a NameNode tells the home directory of who asks';
    return warning(subject, 'it does not tell our home directory', fix);
  }
  if (name === renewer) return ok(subject, `${name}, who is also the renewer of our tokens`);
  return failed(
    subject,
    `it knows us as ${name}, but the renewer of our tokens is ${renewer}: it would let nobody renew them`,
    `Set renewer of this cluster to ${name}, or let hadoop.security.auth_to_local on the NameNodes make ${renewer} of our principal`,
  );
}

/** `{"Path":"/user/kerbridge"}`: dfs.user.home.dir.prefix and the short name. */
function shortNameIn(reply: HadoopHttpReply): string | undefined {
  try {
    const path = memberOf(parseHadoopJson(reply.body.reveal()), 'Path');
    return typeof path === 'string' ? path.split('/').at(-1) : undefined;
  } catch {
    return undefined;
  }
}
