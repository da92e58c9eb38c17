import type { Principal } from '../principal.ts';
import {
  application,
  flags,
  generalizedTime,
  generalString,
  integer,
  member,
  readElements,
  readInteger,
  readString,
  readTime,
  sequence,
} from './der.ts';

/** What a KDC said to an AS-REQ that proves nothing. Nothing in it is signed: it is good for a diagnosis only. */
export type KdcAnswer =
  /** It would give the principal a ticket without pre-authentication. */
  | { readonly type: 'ticket' }
  | {
      readonly type: 'error';
      /** RFC 4120, 7.5.9. */
      readonly code: number;
      /** The KDC's clock, ms since the epoch. */
      readonly serverTime: number;
      /** What it added in words. */
      readonly text: string | undefined;
    };

/** RFC 4120, 7.5.9: what is told apart here. */
export const KDC_ERROR = {
  clientUnknown: 6,
  serviceUnknown: 7,
  noEncryptionType: 14,
  clientRevoked: 18,
  preauthenticationRequired: 25,
  skew: 37,
  replyTooBig: 52,
  wrongRealm: 68,
} as const;

export interface AsRequest {
  /** With its realm. */
  readonly principal: Principal & { readonly realm: string };
  readonly nonce: number;
  /** In the order of preference; IANA's numbers. */
  readonly enctypes: readonly number[];
}

const AS_REQ = 10;
const AS_REP = 11;
const KRB_ERROR = 30;
const VERSION = 5;
const NT_PRINCIPAL = 1;
const NT_SRV_INST = 2;

const principalName = (type: number, components: readonly string[]): Uint8Array =>
  sequence(member(0, integer(type)), member(1, sequence(...components.map(generalString))));

/**
 * An AS-REQ (RFC 4120, 5.4.1) for a ticket-granting ticket, without any pre-authentication: it holds names, no secret. It
 * counts as no failed login, since a KDC answers it by asking for the proof.
 */
export const encodeAsRequest = ({ principal, nonce, enctypes }: AsRequest): Uint8Array => {
  const { components, realm } = principal;
  const body = sequence(
    member(0, flags(0)),
    member(1, principalName(NT_PRINCIPAL, components)),
    member(2, generalString(realm)),
    member(3, principalName(NT_SRV_INST, ['krbtgt', realm])),
    // As long as the KDC gives.
    member(5, generalizedTime('20370913024805Z')),
    member(7, integer(nonce)),
    member(8, sequence(...enctypes.map(integer))),
  );
  return application(
    AS_REQ,
    sequence(member(1, integer(VERSION)), member(2, integer(AS_REQ)), member(4, body)),
  );
};

/** Undefined for what is no answer of a KDC. */
export const decodeKdcAnswer = (bytes: Uint8Array): KdcAnswer | undefined => {
  const [message, ...more] = readElements(bytes) ?? [];
  if (message === undefined || more.length > 0) return undefined;
  const [body, ...others] = readElements(message.content) ?? [];
  const members = body?.tag === 0x30 && others.length === 0 ? readElements(body.content) : undefined;
  const contentOf = (number: number): Uint8Array =>
    members?.find(({ tag }) => tag === (0xa0 | number))?.content ?? new Uint8Array();
  const type = readInteger(contentOf(1));
  // Each says twice what it is.
  if (readInteger(contentOf(0)) !== VERSION || message.tag !== (0x60 | (type ?? 0))) return undefined;
  if (type === AS_REP) return { type: 'ticket' };
  if (type !== KRB_ERROR) return undefined;
  const serverTime = readTime(contentOf(4));
  const code = readInteger(contentOf(6));
  return serverTime === undefined || code === undefined
    ? undefined
    : { type: 'error', code, serverTime, text: readString(contentOf(11)) };
};
