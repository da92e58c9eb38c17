import { X509Certificate } from 'node:crypto';
import type { CertificateRequest, IssuedCertificate } from './issue-certificate.ts';
import {
  type Authority,
  idOf,
  type OwnCaState,
  type ServingCertificate,
  validityOf,
} from './own-ca-state.ts';

export interface CertificatePolicy {
  /** DNS names and IP addresses under which we are called. */
  readonly names: readonly string[];
  readonly authorityLifeMs: number;
  readonly servingLifeMs: number;
  /** How long a new authority waits before it signs, and how long one is kept after the end of what it has signed. */
  readonly settleMs: number;
  /** Certificates are valid from so long before they were made: not all clocks go alike. */
  readonly backdateMs: number;
}

const HOUR_MS = 3_600_000;
export const CERTIFICATE_LIVES: Omit<CertificatePolicy, 'names'> = {
  authorityLifeMs: 365 * 24 * HOUR_MS,
  servingLifeMs: 30 * 24 * HOUR_MS,
  settleMs: HOUR_MS / 4,
  backdateMs: HOUR_MS,
};

/** More than ever come about but by clocks that are set to and fro: what API servers are given must have an end. */
const MAX_AUTHORITIES = 8;

export type CertificateAction =
  | { readonly action: 'drop-authority'; readonly id: string }
  | { readonly action: 'add-authority'; readonly usableFrom: number }
  /** `by` is undefined: the authority that was just added. */
  | {
      readonly action: 'issue-serving';
      readonly by: string | undefined;
      readonly names: readonly string[];
    };

export interface PlanContext {
  readonly now: number;
  readonly policy: CertificatePolicy;
  /** The webhook configurations have had all authorities of the state, and for a while. */
  readonly isBundled: boolean;
}

/**
 * What is to be done now, in this order; nothing if all is well. Replicas of one clock find the same.
 *
 * A new authority is made when a third of the newest one's life is left. It first only stands beside the old one in what API
 * servers trust. When they have had the time to hear of it, the next certificate of the server is signed by it. The old one
 * stays until the last certificate that it has signed is over: replicas that are behind still show that one.
 */
export function planCertificates(state: OwnCaState | undefined, context: PlanContext): CertificateAction[] {
  const { now, policy, isBundled } = context;
  const { authorities, serving } = state ?? { authorities: [], serving: undefined };
  const valid = authorities.filter((each) => isValid(each, now));
  const newest = valid.at(-1);
  const isAdded = newest === undefined || now >= renewalAt(newest);
  const shownBy = serving === undefined ? undefined : valid.find(({ id }) => id === serving.authority);
  const usable = valid.filter(({ usableFrom }) => now >= usableFrom);
  // Where API servers may not know the newest one, the one that they do know goes on, for as long as it lives.
  const signer = (isBundled ? undefined : shownBy) ?? usable.at(-1) ?? newest;

  const names = [...new Set([...policy.names, ...(serving?.names ?? [])])];
  const isServingGood =
    serving !== undefined &&
    shownBy !== undefined &&
    isValid(serving, now) &&
    now < renewalAt(serving) &&
    policy.names.every((name) => serving.names.includes(name));
  // Names that went, go with the next renewal: replicas of two configurations would else undo each other's work.
  const nextNames = serving !== undefined && now >= renewalAt(serving) ? policy.names : names;

  const kept = isServingGood ? serving.authority : signer?.id;
  const dropped = authorities.filter(({ id, notAfter, servedUntil }) => {
    if (now >= notAfter) return true;
    return id !== kept && id !== newest?.id && servedUntil > 0 && now >= servedUntil + policy.settleMs;
  });
  const left = authorities.filter((each) => !dropped.includes(each));
  const surplus = left
    .filter(({ id }) => id !== kept && id !== newest?.id)
    .slice(0, Math.max(0, left.length + (isAdded ? 1 : 0) - MAX_AUTHORITIES));

  return [
    ...[...dropped, ...surplus].map(({ id }) => ({ action: 'drop-authority', id }) as const),
    ...(isAdded
      ? [{ action: 'add-authority', usableFrom: signer === undefined ? now : now + policy.settleMs } as const]
      : []),
    ...(isServingGood ? [] : [{ action: 'issue-serving', by: signer?.id, names: nextNames } as const]),
  ];
}

/** Makes certificates, with keys and serial numbers of its own. */
export interface Issuer {
  readonly authority: (request: CertificateRequest) => IssuedCertificate;
  readonly serving: (
    request: CertificateRequest & { readonly names: readonly string[] },
    authority: IssuedCertificate,
  ) => IssuedCertificate;
  readonly newSerial: () => Buffer;
}

/** The state after these actions. */
export function carryOut(
  state: OwnCaState | undefined,
  actions: readonly CertificateAction[],
  { now, policy, issuer }: Omit<PlanContext, 'isBundled'> & { readonly issuer: Issuer },
): OwnCaState {
  const second = Math.floor(now / 1000) * 1000;
  const notBefore = second - policy.backdateMs;
  let { authorities, serving }: OwnCaState = state ?? { authorities: [], serving: undefined };
  for (const action of actions) {
    switch (action.action) {
      case 'drop-authority':
        authorities = authorities.filter(({ id }) => id !== action.id);
        break;
      case 'add-authority': {
        const request = { notBefore, notAfter: second + policy.authorityLifeMs, serial: issuer.newSerial() };
        const made = issuer.authority(request);
        const x509 = new X509Certificate(made.certificate);
        const { usableFrom } = action;
        const added: Authority = {
          ...made,
          id: idOf(x509),
          issuedAt: now,
          usableFrom,
          servedUntil: 0,
          ...validityOf(x509),
        };
        authorities = [...authorities, added];
        break;
      }
      case 'issue-serving': {
        const by =
          action.by === undefined ? authorities.at(-1) : authorities.find(({ id }) => id === action.by);
        if (by === undefined) throw new RangeError('the plan names an authority that there is not');
        // No longer than who signs it: nobody would take it then.
        const notAfter = Math.min(second + policy.servingLifeMs, by.notAfter);
        const request = {
          notBefore: Math.max(notBefore, by.notBefore),
          notAfter,
          serial: issuer.newSerial(),
          names: action.names,
        };
        serving = servingOf(issuer.serving(request, by), { by, names: action.names, now });
        authorities = authorities.map((each) =>
          each.id === by.id ? { ...each, servedUntil: Math.max(each.servedUntil, notAfter) } : each,
        );
        break;
      }
    }
  }
  return { authorities, serving };
}

function servingOf(
  made: IssuedCertificate,
  { by, names, now }: { readonly by: Authority; readonly names: readonly string[]; readonly now: number },
): ServingCertificate {
  const validity = validityOf(new X509Certificate(made.certificate));
  return { ...made, authority: by.id, names, issuedAt: now, ...validity };
}

interface Life {
  readonly issuedAt: number;
  readonly notBefore: number;
  readonly notAfter: number;
}

function isValid({ notBefore, notAfter }: Pick<Life, 'notBefore' | 'notAfter'>, now: number): boolean {
  return now >= notBefore && now < notAfter;
}

/** With a third of its life left. */
function renewalAt({ issuedAt, notAfter }: Life): number {
  return issuedAt + ((notAfter - issuedAt) * 2) / 3;
}
