import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import { memberOf, parseHadoopJson } from '../../hadoop/http/parse-json.ts';
import { refusalOf } from '../../hadoop/http/refusal-error.ts';
import type { SpnegoSession } from '../../hadoop/http/spnego-session.ts';
import type { Finding } from '../finding.ts';
import { failed, ok, type Subject, warning } from '../say.ts';
import type { NameNodeTarget } from './check-web.ts';

export interface StateCheckOptions {
  readonly cluster: string;
  readonly nameservice: string;
  /** Those that accepted us. */
  readonly nameNodes: readonly {
    readonly target: NameNodeTarget;
    readonly session: Pick<SpnegoSession, 'send'>;
  }[];
}

type State = 'active' | 'standby' | 'safe-mode' | 'unknown';

const HAADMIN =
  'Make one NameNode active: hdfs haadmin -getAllServiceState, then hdfs haadmin -transitionToActive (or see why the ZKFailoverControllers do not)';
const SAFE_MODE =
  'Wait until enough blocks are reported, or see what it waits for: hdfs dfsadmin -safemode get, and its log; no token is issued, renewed or cancelled until then';

/** The state of each NameNode, and whether there is one that can issue tokens. */
export async function checkState(
  { cluster, nameservice, nameNodes }: StateCheckOptions,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const states: State[] = [];
  for (const { target, session } of nameNodes) {
    const subject = { id: `state:${target.name}`, title: `State of ${target.origin}` };
    const { state, finding } = await stateOf(subject, session, signal);
    states.push(state);
    findings.push(finding);
  }
  const subject = { id: `active:${cluster}/${nameservice}`, title: `An active NameNode of ${nameservice}` };
  const active = states.filter((state) => state === 'active').length;
  if (active > 0) return [...findings, ok(subject, 'there is one')];
  const inSafeMode = states.includes('safe-mode');
  return [
    ...findings,
    failed(
      subject,
      inSafeMode ? 'the active one is in safe mode' : 'none that we reach is active',
      inSafeMode ? SAFE_MODE : HAADMIN,
    ),
  ];
}

async function stateOf(
  subject: Subject,
  session: Pick<SpnegoSession, 'send'>,
  signal: AbortSignal,
): Promise<{ readonly state: State; readonly finding: Finding }> {
  try {
    // Only an active one reads (an observer would, too). That we may not read / is an answer as well.
    const query = { op: 'GETFILESTATUS' };
    const reply = await session.send({
      method: 'GET',
      path: '/webhdfs/v1/',
      query,
      operation: query.op,
      signal,
    });
    const refusal = refusalOf(reply);
    if (refusal?.failure === 'not-active') return { state: 'standby', finding: ok(subject, 'standby') };
    if (refusal !== undefined && refusal.failure !== 'denied') {
      const fix = refusal.fix ?? 'See the log of the NameNode';
      return { state: 'unknown', finding: warning(subject, `${refusal.failure}: ${refusal.message}`, fix) };
    }
    return (await isInSafeMode(session, signal))
      ? { state: 'safe-mode', finding: failed(subject, 'active, but in safe mode', SAFE_MODE) }
      : { state: 'active', finding: ok(subject, 'active') };
  } catch (error) {
    if (!(error instanceof TokenServiceError)) throw error;
    const finding = warning(subject, error.message, error.fix ?? 'See the log of the NameNode');
    return { state: 'unknown', finding };
  }
}

/** Reads work in safe mode, so it is asked for apart. No when the NameNode does not let us see it: a token will tell. */
async function isInSafeMode(session: Pick<SpnegoSession, 'send'>, signal: AbortSignal): Promise<boolean> {
  const query = { qry: 'Hadoop:service=NameNode,name=FSNamesystemState' };
  try {
    const reply = await session.send({ method: 'GET', path: '/jmx', query, operation: 'jmx', signal });
    const beans = memberOf(parseHadoopJson(reply.body.reveal()), 'beans');
    return memberOf(Array.isArray(beans) ? beans[0] : undefined, 'FSState') === 'safeMode';
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
