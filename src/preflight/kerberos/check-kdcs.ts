import type { Asked, AskKdc, KdcAddress } from '../../kerberos/kdc/ask-kdc.ts';
import { type AsRequest, KDC_ERROR, type KdcAnswer } from '../../kerberos/kdc/as-exchange.ts';
import type { Clock } from '../../time/clock.ts';
import { clockFinding } from '../clock-skew.ts';
import type { Finding } from '../finding.ts';
import { failed, ok, skipped, type Subject, warning } from '../say.ts';

export interface KdcProbeOptions {
  readonly cluster: string;
  readonly principal: AsRequest['principal'];
  readonly kdcs: readonly KdcAddress[];
  readonly askKdc: AskKdc;
  readonly clock: Clock;
  readonly random: () => number;
  /** For one KDC by one transport. */
  readonly timeoutMs?: number;
}

/** What one KDC said. */
export interface KdcProbe {
  readonly kdc: KdcAddress;
  readonly tcp: Asked;
  /** Asked only when TCP brought nothing. */
  readonly udp: Asked | undefined;
  /** Its clock, with ours around it. */
  readonly reading:
    { readonly serverTime: number; readonly askedAt: number; readonly answeredAt: number } | undefined;
}

const DEFAULT_TIMEOUT_MS = 5_000;
/** AES with SHA-1 and SHA-2, then RC4: what a KDC of today or of yesterday has. */
const ENCTYPES = [18, 17, 20, 19, 23];
/** DES, which no KDC gives any more: it answers with an error, and that tells the time. */
const REFUSED_ENCTYPES = [1];

/** Asks every KDC by itself, all at once: libkrb5 would stop at the first that answers. */
export function probeKdcs(options: KdcProbeOptions, signal: AbortSignal): Promise<readonly KdcProbe[]> {
  return Promise.all(options.kdcs.map((kdc) => probeKdc(kdc, options, signal)));
}

async function probeKdc(kdc: KdcAddress, options: KdcProbeOptions, signal: AbortSignal): Promise<KdcProbe> {
  const { clock } = options;
  const tcp = await ask('tcp', kdc, ENCTYPES, options, signal);
  const udp = tcp.outcome === 'answered' ? undefined : await ask('udp', kdc, ENCTYPES, options, signal);
  const transport = tcp.outcome === 'answered' ? 'tcp' : 'udp';
  if ((answerOf(tcp) ?? answerOf(udp)) === undefined) return { kdc, tcp, udp, reading: undefined };
  // The time is asked for apart: the first answer may have waited for a look-up of the name.
  const askedAt = clock.now();
  const answer = answerOf(await ask(transport, kdc, REFUSED_ENCTYPES, options, signal));
  const reading =
    answer?.type === 'error'
      ? { serverTime: answer.serverTime, askedAt, answeredAt: clock.now() }
      : undefined;
  return { kdc, tcp, udp, reading };
}

async function ask(
  transport: 'tcp' | 'udp',
  kdc: KdcAddress,
  enctypes: readonly number[],
  { principal, askKdc, clock, random, timeoutMs = DEFAULT_TIMEOUT_MS }: KdcProbeOptions,
  signal: AbortSignal,
): Promise<Asked> {
  const answered = new AbortController();
  const timedOut = new AbortController();
  const timer = clock.sleep(timeoutMs, answered.signal).then(
    () => timedOut.abort(),
    () => undefined,
  );
  const nonce = Math.floor(random() * 0x7f_ff_ff_ff);
  const asked = await askKdc(
    transport,
    kdc,
    { principal, nonce, enctypes },
    AbortSignal.any([signal, timedOut.signal]),
  );
  answered.abort();
  await timer;
  return asked;
}

const answerOf = (asked: Asked | undefined): KdcAnswer | undefined =>
  asked?.outcome === 'answered' ? asked.answer : undefined;

const nameOf = ({ host, port }: KdcAddress): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

const realmOf = ({ principal }: Pick<KdcProbeOptions, 'principal'>): string => principal.realm;

/** One finding a KDC. Those that give no answer are warnings as long as another one does. */
export function judgeKdcs(
  probes: readonly KdcProbe[],
  options: Pick<KdcProbeOptions, 'cluster' | 'principal'>,
): readonly Finding[] {
  const good = probes.filter((probe) => isOfUse(answerOf(probe.tcp) ?? answerOf(probe.udp)));
  return probes.map((probe) => judge(probe, options, good.length > 0));
}

/** What a KDC that works and knows the realm may say to us. */
const OF_USE: readonly number[] = [
  KDC_ERROR.preauthenticationRequired,
  KDC_ERROR.clientUnknown,
  KDC_ERROR.clientRevoked,
  KDC_ERROR.noEncryptionType,
  KDC_ERROR.replyTooBig,
];

const isOfUse = (answer: KdcAnswer | undefined): boolean =>
  answer?.type === 'ticket' || (answer?.type === 'error' && OF_USE.includes(answer.code));

const isOtherRealm = (code: number): boolean =>
  code === KDC_ERROR.wrongRealm || code === KDC_ERROR.serviceUnknown;

function judge(
  { kdc, tcp, udp }: KdcProbe,
  options: Pick<KdcProbeOptions, 'cluster' | 'principal'>,
  anotherIsGood: boolean,
): Finding {
  const realm = realmOf(options);
  const subject: Subject = {
    id: `kdc:${options.cluster}/${nameOf(kdc)}`,
    title: `KDC ${nameOf(kdc)} of ${realm}`,
  };
  const answer = answerOf(tcp) ?? answerOf(udp);
  if (answer === undefined) {
    const detail = `TCP: ${describe(tcp)}; UDP: ${describe(udp)}`;
    const fix = `Start the KDC there, open port ${kdc.port} (TCP and UDP; network policies too), or take its kdc entry of ${realm} out of krb5.conf (or out of DNS)`;
    return anotherIsGood
      ? warning(subject, detail, `${fix}: libkrb5 may wait ten seconds for it at each login`)
      : failed(subject, detail, fix);
  }
  if (answer.type === 'error' && isOtherRealm(answer.code)) {
    const detail = `it answers, but not for the realm ${realm}${inWords(answer.text)}`;
    const fix = `Let the kdc entries of ${realm} in krb5.conf name KDCs of that realm, or correct the realm of the principal`;
    return anotherIsGood ? warning(subject, detail, fix) : failed(subject, detail, fix);
  }
  if (answer.type === 'error' && answer.code === KDC_ERROR.clientUnknown) {
    return warning(
      subject,
      `it answers, but has no principal ${options.principal.components.join('/')}@${realm}`,
      `Create the principal there (kadmin: addprinc), or correct its name or realm; see that it is a KDC of ${realm} at all; if other KDCs have it, look at their replication (kprop)`,
    );
  }
  if (answer.type === 'error' && answer.code === KDC_ERROR.clientRevoked) {
    return warning(
      subject,
      'it answers, but says that the principal is disabled, locked out or expired',
      'Unlock the principal (kadmin: modprinc -unlock, +allow_tix, -expire never)',
    );
  }
  // By UDP it may say that the answer takes TCP.
  const wanted: readonly number[] =
    answerOf(tcp) === undefined
      ? [KDC_ERROR.preauthenticationRequired, KDC_ERROR.replyTooBig]
      : [KDC_ERROR.preauthenticationRequired];
  if (answer.type === 'error' && !wanted.includes(answer.code)) {
    return warning(
      subject,
      `it answers with error ${answer.code}${inWords(answer.text)}, and asks for no proof as it should`,
      answer.code === KDC_ERROR.noEncryptionType
        ? 'Give the principal keys of AES, and a new keytab (kadmin: ktadd); see permitted_enctypes of the KDC'
        : 'See the log of the KDC at this time: it says why',
    );
  }
  if (answerOf(tcp) === undefined) {
    return warning(
      subject,
      `it answers by UDP only; TCP: ${describe(tcp)}`,
      `Open TCP port ${kdc.port}: tickets of users with many groups don't fit into UDP`,
    );
  }
  return ok(subject, 'answers');
}

const inWords = (text: string | undefined): string => (text === undefined ? '' : ` (${text.slice(0, 100)})`);

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ENOTFOUND: 'the host name does not resolve',
  EAI_AGAIN: 'DNS does not answer',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
};

function describe(asked: Asked | undefined): string {
  switch (asked?.outcome) {
    case undefined:
      return 'not asked';
    case 'answered':
      return 'answers';
    case 'silent':
      return 'no answer';
    case 'not-kerberos':
      return 'what answers is no KDC';
    case 'failed':
      return `${WORDS[asked.code] ?? 'failed'} (${asked.code})`;
  }
}

/** One finding for the clock of each KDC that answered. */
export function judgeKdcClocks(probes: readonly KdcProbe[], cluster: string): readonly Finding[] {
  return probes.flatMap(({ kdc, tcp, udp, reading }) => {
    const id = `clock-kdc:${cluster}/${nameOf(kdc)}`;
    const whose = `the KDC ${nameOf(kdc)}`;
    if (reading !== undefined) return [clockFinding({ id, whose, ...reading })];
    const answered = answerOf(tcp) ?? answerOf(udp);
    const subject = { id, title: `Clock of ${whose}` };
    return answered === undefined ? [] : [skipped(subject, 'it gives a ticket and tells no time')];
  });
}
