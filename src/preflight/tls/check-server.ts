import { z } from 'zod';
import { errorCode } from '../../observability/error-code.ts';
import type { Clock } from '../../time/clock.ts';
import type { Finding } from '../finding.ts';
import { failed, ok, skipped, type Subject, warning } from '../say.ts';
import { judgeValidity } from './judge-certificates.ts';
import { nameOf, namesOf } from './read-chain.ts';
import type { ProbeServer, ServerProbe } from './probe-server.ts';

export interface ServerOptions {
  /** As clients have it. */
  readonly url: URL;
  readonly ca: string | undefined;
  readonly clock: Clock;
  readonly probe: ProbeServer;
}

export const serverSubject = ({ url }: Pick<ServerOptions, 'url'>): Subject => ({
  id: 'server',
  title: `The running server ${url.origin}`,
});

const CONNECT_FIX =
  'See that it runs and that the way is open: kubectl -n kerbridge get pods,endpointslices; the NetworkPolicy; the host and port of --url';

/** The running server as a client sees it: reached, trusted, valid for a while, and Kerbridge. */
export async function checkServer(
  { url, ca, clock, probe }: ServerOptions,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const subject = serverSubject({ url });
  const path = `${url.pathname.replace(/\/$/, '')}/v1/credentials`;
  let seen: ServerProbe;
  try {
    seen = await probe({ url: new URL(path, url.origin), ca, signal });
  } catch (error) {
    signal.throwIfAborted();
    return [failed(subject, `not reached: ${errorCode(error)}`, CONNECT_FIX)];
  }
  return [judgeIdentity(subject, seen), ...judgeTls(url, seen, clock.now())];
}

/** Without a token Kerbridge says 401, as a problem document; whoever answers otherwise is somebody else. */
function judgeIdentity(subject: Subject, { status, contentType }: ServerProbe): Finding {
  if (status === 401 && contentType.startsWith('application/problem+json')) {
    return ok(subject, 'answers as Kerbridge does');
  }
  if (status === 503 && contentType.startsWith('application/problem+json')) {
    const fix = 'See /readyz of its admin port, and its log: something that it needs does not answer';
    return warning(subject, 'answers 503: it can check nobody now', fix);
  }
  const fix = 'Correct --url: host, port and path of kerbridge serve; or mend the proxy in between';
  return failed(subject, `answers ${status} to a request without a token, and Kerbridge answers 401`, fix);
}

function judgeTls(url: URL, { chain, refusal }: ServerProbe, now: number): readonly Finding[] {
  const trust: Subject = { id: 'server-certificate', title: `Certificate of ${url.origin}` };
  const [leaf] = chain;
  if (url.protocol !== 'https:') {
    return [skipped(trust, 'the URL is plain HTTP: whoever is on the way reads the tokens')];
  }
  if (leaf === undefined) return [];
  const validity = judgeValidity({ id: 'server-validity', title: `Validity of ${url.origin}` }, chain, now);
  if (refusal === undefined) return [ok(trust, `trusted, issued by ${nameOf(leaf.issuer)}`), ...validity];
  const names = namesOf(leaf).join(', ') || 'nobody';
  const detail = `clients refuse it: ${refusal} (for ${names}, issued by ${nameOf(leaf.issuer)})`;
  return [failed(trust, detail, trustFix(refusal, url.hostname, nameOf(leaf.issuer))), ...validity];
}

function trustFix(refusal: string, host: string, issuer: string): string {
  if (refusal.includes('ALTNAME')) {
    return `Have a certificate made with ${host} as a subjectAltName, or let clients use one of its names`;
  }
  if (refusal.includes('EXPIRED') || refusal.includes('NOT_YET_VALID')) {
    return 'Renew it, or the authority above it; a running serve takes the new one without a restart';
  }
  return `Name a file with the certificate of ${issuer} as --ca-file, and give it to the clients; where an intermediate certificate is missing, append it to listen.tls.certFile`;
}

export interface ReadyOptions {
  /** Of the admin port, as far as that can be guessed: the host of --url with the port of the configuration. */
  readonly url: URL;
  readonly probe: ProbeServer;
}

export const readySubject = ({ url }: Pick<ReadyOptions, 'url'>): Subject => ({
  id: 'server-ready',
  title: `Readiness at ${url.href}`,
});

/** The admin port is for the monitoring; from here it is often out of reach, and that is as it should be. */
export async function checkReady(
  { url, probe }: ReadyOptions,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const subject = readySubject({ url });
  let seen: ServerProbe;
  try {
    seen = await probe({ url, ca: undefined, signal });
  } catch (error) {
    return [skipped(subject, `the admin port is not reached from here (${errorCode(error)})`)];
  }
  const blocking = blockingOf(seen.body);
  if (blocking === undefined) {
    const fix =
      'See what listens there: admin.port of the configuration, on the host of --url, is the place of serve';
    return [warning(subject, `something else answers there (${seen.status})`, fix)];
  }
  if (seen.status === 200) return [ok(subject, 'ready')];
  const fix = 'See the log of serve for each of them, and the other findings here';
  return [failed(subject, `not ready: ${blocking.join(', ') || 'it is shutting down'}`, fix)];
}

const readinessReport = z.object({
  status: z.string(),
  dependencies: z.array(z.object({ name: z.string(), blocking: z.boolean() })),
});

/** The dependencies that a report of readiness names as blocking; undefined: it is none. */
function blockingOf(body: string): readonly string[] | undefined {
  try {
    const { data } = readinessReport.safeParse(JSON.parse(body));
    return data?.dependencies.filter(({ blocking }) => blocking).map(({ name }) => name);
  } catch {
    return undefined;
  }
}
