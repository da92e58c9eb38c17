import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Finding } from '../finding.ts';
import { failed, ok, type Subject, warning } from '../say.ts';
import { isIssuedBy, isSelfSigned, nameOf, namesOf } from './read-chain.ts';

/** From here on somebody must see to it. */
export const EXPIRES_SOON_MS = 14 * 86_400_000;

const RENEW =
  'Renew it (cert-manager: kubectl describe certificate; by hand: a new certificate into the Secret); a running serve takes it without a restart';

/** Of all certificates that are shown, the worst: an intermediate one that has expired is as bad as our own. */
export function judgeValidity(
  subject: Subject,
  chain: readonly X509Certificate[],
  now: number,
): readonly Finding[] {
  const findings = chain.flatMap((certificate, index) => {
    const whose =
      index === 0 ? 'the certificate' : `the certificate above it, ${nameOf(certificate.subject)},`;
    const [from, to] = [certificate.validFromDate, certificate.validToDate];
    if (now < from.getTime()) {
      const fix =
        'Wait for that time, or see that the clock of whoever made it is right; until then show the one before';
      return [failed(subject, `${whose} is not valid before ${from.toISOString()}`, fix)];
    }
    if (now > to.getTime()) return [failed(subject, `${whose} expired at ${to.toISOString()}`, RENEW)];
    if (to.getTime() - now < EXPIRES_SOON_MS) {
      const days = Math.floor((to.getTime() - now) / 86_400_000);
      return [warning(subject, `${whose} expires in ${days} day(s), at ${to.toISOString()}`, RENEW)];
    }
    return [];
  });
  const worst = findings.find(({ outcome }) => outcome === 'failed') ?? findings[0];
  if (worst !== undefined) return [worst];
  const [first] = chain.map(({ validToDate }) => validToDate.getTime()).toSorted((a, b) => a - b);
  return [ok(subject, `valid until ${new Date(first ?? now).toISOString()}`)];
}

/** Whether each certificate is followed by that of who issued it, up to one that clients know. */
export function judgeChain(
  subject: Subject,
  chain: readonly X509Certificate[],
  trusted: readonly X509Certificate[] | undefined,
): readonly Finding[] {
  const [leaf] = chain;
  const last = chain.at(-1);
  if (leaf === undefined || last === undefined) return [];
  for (const [index, issuer] of chain.slice(1).entries()) {
    const certificate = chain[index];
    if (certificate !== undefined && !isIssuedBy(certificate, issuer)) {
      const fix =
        'Put them in order: the certificate of this server, then that of who issued it, and so on; take out what belongs to none. Some clients (Java, Go) refuse any other order';
      const detail = `number ${index + 2} (${nameOf(issuer.subject)}) is not the issuer of number ${index + 1} (${nameOf(certificate.issuer)})`;
      return [warning(subject, detail, fix)];
    }
  }
  const issuer = nameOf(last.issuer);
  if (trusted === undefined) {
    const whom = isSelfSigned(last) ? nameOf(last.subject) : issuer;
    return [
      ok(
        subject,
        `${chain.length} certificate(s); clients must trust ${whom} (see it checked with --ca-file)`,
      ),
    ];
  }
  const known = trusted.some((authority) => authority.raw.equals(last.raw) || isIssuedBy(last, authority));
  if (known) return [ok(subject, `${chain.length} certificate(s), up to one of --ca-file`)];
  const fix = `Append the certificate of ${issuer}, and of whoever issued that one, to the certificate file; or give the clients that authority as their CA`;
  return [failed(subject, `it ends with one that ${issuer} issued, whom --ca-file does not have`, fix)];
}

/** Whether clients that come by this name take the certificate for this server's. */
export function judgeNames(
  subject: Subject,
  leaf: X509Certificate,
  host: string | undefined,
): readonly Finding[] {
  const names = namesOf(leaf);
  if (names.length === 0) {
    const fix =
      'Have one made with a subjectAltName: kerbridge.kerbridge and kerbridge.kerbridge.svc, for example';
    return [warning(subject, 'it has no name that clients look at (subjectAltName)', fix)];
  }
  if (host === undefined) return [ok(subject, names.join(', '))];
  const covered = isIP(host) === 0 ? leaf.checkHost(host) !== undefined : leaf.checkIP(host) !== undefined;
  if (covered) return [ok(subject, `${host} is among ${names.join(', ')}`)];
  const fix = `Have one made with ${host} as a subjectAltName, or let clients use one of its names in --url`;
  return [warning(subject, `it is for ${names.join(', ')}, and not for ${host}`, fix)];
}
