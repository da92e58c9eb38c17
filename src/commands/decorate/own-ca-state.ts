import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import * as z from 'zod';
import { Secret } from '../../observability/secret.ts';

/** Times in ms since the epoch. */
export interface Authority {
  /** Fingerprint of the certificate. */
  readonly id: string;
  readonly certificate: string;
  readonly key: Secret<string>;
  readonly issuedAt: number;
  /** It signs nothing before: by then every API server is to know it. */
  readonly usableFrom: number;
  /** End of the last certificate that it has signed; 0: it has signed none. */
  readonly servedUntil: number;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** The certificate that all replicas show. */
export interface ServingCertificate {
  readonly certificate: string;
  readonly key: Secret<string>;
  /** Who has signed it. */
  readonly authority: string;
  readonly names: readonly string[];
  readonly issuedAt: number;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** All that replicas have in common, in one Secret, so that it is written as one. */
export interface OwnCaState {
  /** The newest last. */
  readonly authorities: readonly Authority[];
  readonly serving: ServingCertificate | undefined;
}

/** What the Secret holds is not of this form. The message quotes nothing of it. */
export class OwnCaStateError extends Error {
  override readonly name = 'OwnCaStateError';
}

const issued = { certificate: z.string(), key: z.string(), issuedAt: z.number() };
const DOCUMENT = z.strictObject({
  v: z.literal(1),
  authorities: z.array(z.strictObject({ ...issued, usableFrom: z.number(), servedUntil: z.number() })).min(1),
  serving: z.strictObject({ ...issued, authority: z.string(), names: z.array(z.string()) }).optional(),
});

/** @throws {OwnCaStateError} */
export function parseOwnCaState(text: string): OwnCaState {
  const parsed = DOCUMENT.safeParse(jsonOf(text));
  if (!parsed.success) throw new OwnCaStateError('holds no certificates in the form of this version');
  const authorities = parsed.data.authorities.map(({ key, ...authority }): Authority => {
    const x509 = certificateOf(authority.certificate, key, 'an authority');
    return { ...authority, key: new Secret(key), id: idOf(x509), ...validityOf(x509) };
  });
  const { serving } = parsed.data;
  if (serving === undefined) return { authorities, serving };
  const x509 = certificateOf(serving.certificate, serving.key, 'the server');
  const by = authorities.find(({ id }) => id === serving.authority);
  // Without its authority it is of no use, and a new one is made; with it, it must be its own.
  if (by !== undefined && !x509.verify(new X509Certificate(by.certificate).publicKey)) {
    throw new OwnCaStateError('holds a certificate of the server that its authority has not signed');
  }
  return { authorities, serving: { ...serving, key: new Secret(serving.key), ...validityOf(x509) } };
}

/** Holds the keys. */
export function formatOwnCaState({ authorities, serving }: OwnCaState): Secret<string> {
  const document: z.infer<typeof DOCUMENT> = {
    v: 1,
    authorities: authorities.map(({ certificate, key, issuedAt, usableFrom, servedUntil }) => ({
      certificate,
      key: key.reveal(),
      issuedAt,
      usableFrom,
      servedUntil,
    })),
    ...(serving === undefined
      ? {}
      : {
          serving: {
            certificate: serving.certificate,
            key: serving.key.reveal(),
            authority: serving.authority,
            names: [...serving.names],
            issuedAt: serving.issuedAt,
          },
        }),
  };
  return new Secret(`${JSON.stringify(document, undefined, 1)}\n`);
}

/** What clients are to trust: all authorities, in an order that does not change. */
export function caBundleOf({ authorities }: OwnCaState): string {
  return authorities.map(({ certificate }) => certificate).join('');
}

export function idOf(x509: X509Certificate): string {
  return createHash('sha256').update(x509.raw).digest('hex');
}

export function validityOf(x509: X509Certificate): { readonly notBefore: number; readonly notAfter: number } {
  return { notBefore: x509.validFromDate.getTime(), notAfter: x509.validToDate.getTime() };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Without the cause: its message quotes the text, which holds keys.
    throw new OwnCaStateError('holds no JSON');
  }
}

function certificateOf(certificate: string, key: string, whose: string): X509Certificate {
  let fits: boolean;
  let x509: X509Certificate;
  try {
    x509 = new X509Certificate(certificate);
    fits = x509.checkPrivateKey(createPrivateKey(key));
  } catch {
    throw new OwnCaStateError(`holds a certificate or a key of ${whose} that can't be read`);
  }
  if (!fits) throw new OwnCaStateError(`holds a key of ${whose} that is not that of its certificate`);
  return x509;
}
