import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { issuer } from './issue-certificate.ts';
import { caBundleOf, formatOwnCaState, type OwnCaState, parseOwnCaState } from './own-ca-state.ts';
import { carryOut, type CertificatePolicy, planCertificates } from './plan-certificates.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const DAY = 86_400_000;
const HOUR = 3_600_000;
const NAMES = ['kerbridge-webhook.kerbridge.svc'];
const POLICY: CertificatePolicy = {
  names: NAMES,
  authorityLifeMs: 90 * DAY,
  servingLifeMs: 9 * DAY,
  settleMs: HOUR,
  backdateMs: HOUR,
};

function plan(
  state: OwnCaState | undefined,
  now: number,
  options: Partial<{ policy: CertificatePolicy; isBundled: boolean }> = {},
) {
  return planCertificates(state, { now, policy: POLICY, isBundled: true, ...options });
}

function step(
  state: OwnCaState | undefined,
  now: number,
  options: Parameters<typeof plan>[2] = {},
): OwnCaState {
  const { policy = POLICY } = options;
  return carryOut(state, plan(state, now, options), { now, policy, issuer });
}

const verbs = (actions: ReturnType<typeof plan>) => actions.map(({ action }) => action);

describe('planCertificates', () => {
  it('begins with an authority and a certificate, at once', () => {
    expect(plan(undefined, START, { isBundled: false })).toEqual([
      { action: 'add-authority', usableFrom: START },
      { action: 'issue-serving', by: undefined, names: NAMES },
    ]);
  });

  it('has nothing to do after that, whoever asks', () => {
    const state = step(undefined, START, { isBundled: false });
    for (const isBundled of [true, false]) {
      expect(plan(state, START, { isBundled })).toEqual([]);
      expect(plan(state, START + 6 * DAY - 1, { isBundled })).toEqual([]);
      expect(plan(state, START - HOUR, { isBundled })).toEqual([]);
    }
  });

  it('renews the certificate with a third of its life left, by the same authority', () => {
    const state = step(undefined, START);
    const [authority] = state.authorities;
    expect(plan(state, START + 6 * DAY)).toEqual([
      { action: 'issue-serving', by: authority?.id, names: NAMES },
    ]);
    const next = step(state, START + 6 * DAY);
    expect(next.serving?.notAfter).toBe(START + 15 * DAY);
    expect(next.authorities).toEqual([{ ...authority, servedUntil: START + 15 * DAY }]);
  });

  it('adds an authority with a third of its life left, which signs nothing until it has settled', () => {
    let state = step(undefined, START);
    const first = state.authorities[0]?.id;
    state = step(state, START + 58 * DAY);
    const now = START + 60 * DAY;
    expect(plan(state, now)).toEqual([{ action: 'add-authority', usableFrom: now + HOUR }]);
    state = step(state, now);
    expect(state.authorities).toHaveLength(2);
    expect(state.serving?.authority).toBe(first);
    expect(caBundleOf(state).match(/BEGIN CERTIFICATE/g)).toHaveLength(2);

    // The next certificate is due at 64 days.
    expect(plan(state, now + 4 * DAY - 1)).toEqual([]);
    const renewed = step(state, now + 4 * DAY);
    expect(renewed.serving?.authority).toBe(state.authorities[1]?.id);
    expect(renewed.authorities).toHaveLength(2);
    // What the old one has signed ends at 67 days, and an hour more for clocks.
    expect(verbs(plan(renewed, START + 67 * DAY + HOUR - 1))).toEqual([]);
    expect(plan(renewed, START + 67 * DAY + HOUR)).toEqual([{ action: 'drop-authority', id: first }]);
  });

  it('lets a new authority sign nothing before it has settled, though a certificate is due', () => {
    let state = step(undefined, START);
    state = step(state, START + 54 * DAY);
    const first = state.serving?.authority;
    const now = START + 60 * DAY;
    expect(verbs(plan(state, now))).toEqual(['add-authority', 'issue-serving']);
    expect(step(state, now).serving?.authority).toBe(first);
  });

  it.each([
    ['nothing that API servers may not know', false, 0],
    ['what they know', true, 1],
  ])('lets a new authority sign %s', (_name, isBundled, index) => {
    let state = step(undefined, START);
    state = step(state, START + 58 * DAY);
    state = step(state, START + 60 * DAY);
    const next = step(state, START + 64 * DAY, { isBundled });
    expect(next.serving?.authority).toBe(state.authorities[index]?.id);
  });

  it('lets the new authority sign when the old one is over, whatever API servers know', () => {
    let state = step(undefined, START);
    state = step(state, START + 60 * DAY);
    const later = step(state, START + 91 * DAY, { isBundled: false });
    expect(later.serving?.authority).toBe(state.authorities[1]?.id);
    expect(later.authorities.map(({ id }) => id)).toEqual([state.authorities[1]?.id]);
  });

  it('begins anew when all is over', () => {
    const later = step(step(undefined, START), START + 400 * DAY);
    expect(later.authorities).toHaveLength(1);
    expect(later.authorities[0]?.notBefore).toBe(START + 400 * DAY - HOUR);
    expect(later.serving?.authority).toBe(later.authorities[0]?.id);
  });

  it('mends what a clock has done that was far ahead, and keeps what others may still trust', () => {
    const ahead = step(undefined, START + 4_000 * DAY);
    const now = step(ahead, START);
    expect(now.authorities).toHaveLength(2);
    expect(now.serving?.authority).toBe(now.authorities[1]?.id);
    expect(plan(now, START + HOUR)).toEqual([]);
  });

  it('gives a certificate no longer life than its authority has', () => {
    const policy = { ...POLICY, authorityLifeMs: 3 * DAY };
    const { authorities, serving } = step(undefined, START, { policy });
    expect(serving?.notAfter).toBe(authorities[0]?.notAfter);
  });

  it('adds a name at once, and drops one with the next renewal: two configurations agree', () => {
    const other = { ...POLICY, names: ['other.kerbridge.svc'] };
    const both = [...other.names, ...NAMES];
    const first = step(undefined, START);
    expect(plan(first, START, { policy: other })).toMatchObject([{ action: 'issue-serving', names: both }]);
    const second = step(first, START, { policy: other });
    expect(plan(second, START)).toEqual([]);
    expect(plan(second, START, { policy: other })).toEqual([]);
    expect(plan(second, START + 6 * DAY, { policy: other })).toMatchObject([{ names: other.names }]);
  });

  it('makes a certificate where that has no authority any more', () => {
    const { serving } = step(undefined, START);
    const { authorities } = step(undefined, START);
    expect(plan({ authorities, serving }, START)).toMatchObject([
      { action: 'issue-serving', by: authorities[0]?.id },
    ]);
  });

  it('has never more than eight authorities, and never drops the one in use', () => {
    let state: OwnCaState | undefined;
    // Each of a clock that is set back before the one before it.
    for (let round = 20; round >= 0; round -= 1) {
      state = step(state, START + round * 1_000 * DAY);
      expect(state.authorities.length).toBeLessThanOrEqual(8);
      expect(state.authorities.map(({ id }) => id)).toContain(state.serving?.authority);
    }
  });

  it('leads through any time to what API servers trust, also where replicas are behind', () => {
    const policy = { ...POLICY, authorityLifeMs: 30 * DAY, servingLifeMs: 3 * DAY, settleMs: 2 * HOUR };
    const steps = fc.array(fc.record({ hours: fc.integer({ min: 0, max: 60 }), isBundled: fc.boolean() }), {
      minLength: 10,
      maxLength: 25,
    });
    fc.assert(
      fc.property(steps, (given) => {
        let now = START;
        let state = step(undefined, now, { policy });
        for (const { hours, isBundled } of given) {
          const before = state;
          const passed = hours * HOUR;
          now += passed;
          state = step(before, now, { policy, isBundled });
          // Once is enough.
          expect(plan(state, now, { policy, isBundled })).toEqual([]);
          const { serving } = state;
          if (serving === undefined) throw new Error('there must be one');
          expect(now).toBeGreaterThanOrEqual(serving.notBefore);
          expect(now).toBeLessThan(serving.notAfter);
          const isTrusted = (x509: X509Certificate, bundle: OwnCaState) =>
            bundle.authorities.some(
              ({ certificate, notAfter }) =>
                now < notAfter && x509.checkIssued(new X509Certificate(certificate)),
            );
          // Who shows the new certificate is trusted by an API server of the new bundle…
          expect(isTrusted(new X509Certificate(serving.certificate), state)).toBe(true);
          // …and who is behind and shows the old one, too…
          if (before.serving !== undefined && now < before.serving.notAfter) {
            expect(isTrusted(new X509Certificate(before.serving.certificate), state)).toBe(true);
          }
          // …and one that has the old bundle still trusts the new certificate, unless all in that is over.
          if (before.authorities.some(({ notAfter }) => now < notAfter)) {
            expect(isTrusted(new X509Certificate(serving.certificate), before)).toBe(true);
          }
          expect(state.authorities.length).toBeLessThanOrEqual(3);
        }
      }),
      { numRuns: 12 },
    );
  });
});

interface Document {
  v?: unknown;
  more?: unknown;
  authorities: { key?: string; certificate: string }[];
  serving: { key: string; authority: string };
}

describe('the state in its Secret', () => {
  it('is read as it was written', () => {
    const state = step(step(undefined, START), START + 60 * DAY);
    const read = parseOwnCaState(formatOwnCaState(state).reveal());
    expect(JSON.parse(JSON.stringify(read))).toEqual(JSON.parse(JSON.stringify(state)));
    expect(formatOwnCaState(read).reveal()).toBe(formatOwnCaState(state).reveal());
    const [authority] = parseOwnCaState(formatOwnCaState(state).reveal()).authorities;
    expect(authority?.key.reveal()).toBe(state.authorities[0]?.key.reveal());
    expect(JSON.stringify(state)).not.toContain('PRIVATE');
    expect(String(formatOwnCaState(state))).toBe('[redacted]');
  });

  const good = () => JSON.parse(formatOwnCaState(step(undefined, START)).reveal()) as Document;
  const changed = (change: (document: Document) => void): string => {
    const document = good();
    change(document);
    return JSON.stringify(document);
  };

  const firstOf = ({ authorities: [first] }: Document) => {
    if (first === undefined) throw new Error('there is one');
    return first;
  };

  it.each<[string, () => string]>([
    ['nothing', () => ''],
    ['no JSON', () => '{'],
    ['a list', () => '[]'],
    ['another version', () => changed((document) => (document.v = 2))],
    ['no version', () => changed((document) => delete document.v)],
    ['what this version does not know', () => changed((document) => (document.more = 1))],
    ['no authority', () => changed((document) => (document.authorities = []))],
    ['an authority without a key', () => changed((document) => delete firstOf(document).key)],
    ['no certificate', () => changed((document) => (firstOf(document).certificate = 'x'))],
    ['no key', () => changed((document) => (firstOf(document).key = 'x'))],
    [
      'the key of another certificate',
      () => changed((document) => (firstOf(document).key = document.serving.key)),
    ],
    [
      'the key of another server',
      () => changed((document) => (document.serving.key = firstOf(document).key ?? '')),
    ],
    [
      'a certificate of another authority',
      () => {
        const other = good();
        return changed((document) => {
          document.serving = { ...other.serving, authority: document.serving.authority };
        });
      },
    ],
  ])('is not understood: %s, and quotes nothing', (_name, text) => {
    let message = '';
    const given = text();
    try {
      parseOwnCaState(given);
    } catch (error) {
      message = String(error);
    }
    expect(message).toMatch(/^OwnCaStateError: holds /);
    expect(message).not.toMatch(/BEGIN|MI[GI]/);
  });
});
