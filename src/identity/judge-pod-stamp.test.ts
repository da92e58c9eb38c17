import { describe, expect, it } from '@jest/globals';
import { otherSigningKey, signByHand, signingKey } from '../../test/fixtures/stamps/keys.ts';
import type { StampedPod } from './identity-result.ts';
import { createStampJudge, MAX_STAMP_AGE_MS } from './judge-pod-stamp.ts';
import { type PodStamp, signPodStamp } from './stamps/pod-stamp.ts';
import { POD_STAMP_ANNOTATION, TEMPLATE_STAMP_ANNOTATION } from './stamps/stamp-annotations.ts';
import { createPublicKeys, type StampPublicKeys } from './stamps/stamp-keys.ts';
import { signTemplateStamp } from './stamps/template-stamp.ts';

// A title ends with the checks without which the test fails.

const KEYS = createPublicKeys([signingKey]);
const CREATED_AT = Date.parse('2026-01-01T00:00:00Z');
const STAMP: PodStamp = {
  namespace: 'team-a',
  podName: 'job-1',
  user: 'alice',
  requester: 'alice@example.com',
  issuedAtSeconds: CREATED_AT / 1000,
};

const podWith = (stamp: string | undefined, change: Partial<StampedPod> = {}): StampedPod => ({
  namespace: 'team-a',
  name: 'job-1',
  uid: 'uid-1',
  createdAt: CREATED_AT,
  annotations: stamp === undefined ? {} : { [POD_STAMP_ANNOTATION]: stamp },
  ...change,
});
const signed = (change: Partial<PodStamp> = {}): string => signPodStamp({ ...STAMP, ...change }, signingKey);

const strict = createStampJudge({ requireSignature: true, stampKeys: () => KEYS });
const lax = createStampJudge({ requireSignature: false, stampKeys: () => KEYS });
const MODES = [
  ['required', strict],
  ['not required', lax],
] as const;

const refused = (reason: string) => expect.objectContaining({ outcome: 'refused', reason }) as unknown;
const believed = { outcome: 'believed', requester: 'alice@example.com' };

const template = signTemplateStamp(
  {
    namespace: 'team-a',
    namespaceUid: 'f0a1',
    kind: 'batch/Job',
    name: 'job-1',
    user: 'alice',
    requester: 'alice',
    digest: 'A'.repeat(43),
  },
  signingKey,
);

describe.each(MODES)('the stamp of a pod, signatures %s', (_mode, judge) => {
  it.each<[what: string, tags: string, stamp: string, reason: string]>([
    ['an empty stamp', '', '', 'stamp-malformed'],
    ['a name for a stamp', '', 'alice', 'stamp-malformed'],
    ['a stamp that is cut', ' [stamp-shape]', signed().slice(0, -1), 'stamp-malformed'],
    ['a stamp of a length beyond measure', '', 'x'.repeat(300_000), 'stamp-malformed'],
    ['the stamp of a template', ' [stamp-type]', template, 'stamp-of-other-type'],
    ['a key that nobody knows', ' [stamp-key]', signPodStamp(STAMP, otherSigningKey), 'stamp-key-unknown'],
    [
      'the signature of another stamp',
      ' [stamp-signature]',
      signed().replace(/[^.]*$/, signed({ user: 'bob' }).split('.')[2] ?? ''),
      'stamp-forged',
    ],
    [
      'a version of the future',
      ' [stamp-version]',
      signByHand({ alg: 'EdDSA', kid: signingKey.kid, typ: 'kerbridge-pod-stamp' }, { v: 2 }),
      'stamp-version-unknown',
    ],
  ])('refuses %s [stamp-verified]%s', (_what, _tags, stamp, reason) => {
    expect(judge(podWith(stamp), 'alice')).toEqual(refused(reason));
  });

  it.each<[string, Partial<StampedPod>]>([
    ['a pod of another name', { name: 'job-2' }],
    ['a pod whose name only starts so', { name: 'job-10' }],
    ['a pod of the name in other letters', { name: 'JOB-1' }],
    ['the pod of that name in another namespace', { namespace: 'team-b' }],
  ])('refuses the stamp on %s [stamp-of-pod]', (_, change) => {
    const pod = podWith(signed(), change);
    expect(judge(pod, 'alice')).toEqual({
      outcome: 'refused',
      reason: 'stamp-of-other-pod',
      detail: `team-a/job-1 on ${pod.namespace}/${pod.name}`,
    });
  });

  it.each([
    ['61 s after', 61_000],
    ['a day after', 86_400_000],
    ['61 s before', -61_000],
    ['decades before', -CREATED_AT],
  ])('refuses the stamp on a pod that was made %s it [stamp-timely]', (_, ms) => {
    expect(judge(podWith(signed(), { createdAt: CREATED_AT + ms }), 'alice')).toEqual(
      refused('stamp-untimely'),
    );
  });

  it('takes a creationTimestamp that is none for untimely [stamp-timely]', () => {
    expect(judge(podWith(signed(), { createdAt: Number.NaN }), 'alice')).toEqual(refused('stamp-untimely'));
  });

  it.each(['bob', 'Alice', 'alice ', 'alice\0', '', '__proto__', 'x'.repeat(10_000)])(
    'refuses the stamp for alice on a pod whose annotation names %j [stamp-user]',
    (user) => {
      expect(judge(podWith(signed()), user)).toEqual({
        outcome: 'refused',
        reason: 'stamp-user-differs',
        detail: `stamp "alice", annotation ${JSON.stringify(user.slice(0, 64))}`,
      });
    },
  );

  it.each([0, 1_000, -1_000, MAX_STAMP_AGE_MS, -MAX_STAMP_AGE_MS])(
    'believes the stamp on its pod, made %d ms after it, and names who asked',
    (ms) => {
      expect(judge(podWith(signed(), { createdAt: CREATED_AT + ms }), 'alice')).toEqual(believed);
    },
  );

  it('believes a stamp by any key of the set', () => {
    const both = createPublicKeys([otherSigningKey, signingKey]);
    const judgeWithBoth = createStampJudge({ requireSignature: true, stampKeys: () => both });
    expect(judgeWithBoth(podWith(signPodStamp(STAMP, otherSigningKey)), 'alice')).toEqual(believed);
    expect(judgeWithBoth(podWith(signed()), 'alice')).toEqual(believed);
  });

  it('says neither yes nor no to a stamp without keys [stamp-keys-known]', () => {
    const withoutKeys = createStampJudge({ requireSignature: judge === strict, stampKeys: () => undefined });
    expect(withoutKeys(podWith(signed()), 'alice')).toEqual({
      outcome: 'could-not-check',
      dependency: 'stamp-keys',
      detail: expect.stringContaining('identity.stampKeysFile') as unknown,
    });
  });
});

describe('a pod without a stamp', () => {
  const inherited: Record<string, string> = {};
  Object.setPrototypeOf(inherited, { [POD_STAMP_ANNOTATION]: signed() });
  const UNSIGNED: readonly [string, StampedPod][] = [
    ['no annotation', podWith(undefined)],
    ['an inherited stamp', podWith(undefined, { annotations: inherited })],
    [
      'only the stamp of its template',
      podWith(undefined, { annotations: { [TEMPLATE_STAMP_ANNOTATION]: template } }),
    ],
    ['its stamp under another key', podWith(undefined, { annotations: { 'kerbridge.dev/Stamp': signed() } })],
  ];

  it.each(UNSIGNED)('is refused where signatures are required: %s [stamp-signed]', (_, pod) => {
    expect(strict(pod, 'alice')).toEqual({ outcome: 'refused', reason: 'stamp-unsigned' });
  });

  it.each(UNSIGNED)('is believed where they are not, of nobody knows whom: %s', (_, pod) => {
    expect(lax(pod, 'alice')).toEqual({ outcome: 'believed' });
  });

  it('is neither where they are required and there are no keys [stamp-keys-known]', () => {
    const judge = createStampJudge({ requireSignature: true, stampKeys: () => undefined });
    expect(judge(podWith(undefined), 'alice')).toMatchObject({
      outcome: 'could-not-check',
      dependency: 'stamp-keys',
    });
  });

  it('needs no keys where signatures are not required', () => {
    const judge = createStampJudge({ requireSignature: false, stampKeys: () => undefined });
    expect(judge(podWith(undefined), 'alice')).toEqual({ outcome: 'believed' });
  });
});

describe('a verdict', () => {
  /** Counts look-ups of keys, one of which every verification makes. */
  function counting(keys: StampPublicKeys) {
    const seen = { count: 0 };
    const find: StampPublicKeys['find'] = (kid) => {
      seen.count += 1;
      return keys.find(kid);
    };
    return { seen, keys: { ...keys, find } };
  }

  it('is found once for a pod object, yes or no', () => {
    const { seen, keys } = counting(KEYS);
    const judge = createStampJudge({ requireSignature: true, stampKeys: () => keys });
    const pods = [podWith(signed()), podWith(signed({ user: 'bob' }))];
    for (let turn = 0; turn < 5; turn += 1) for (const pod of pods) judge(pod, 'alice');
    expect(seen.count).toBe(2);
  });

  it('is found anew for another object of the same pod [stamp-user]', () => {
    const { seen, keys } = counting(KEYS);
    const judge = createStampJudge({ requireSignature: true, stampKeys: () => keys });
    expect(judge(podWith(signed()), 'alice')).toEqual(believed);
    expect(judge(podWith(signed({ user: 'bob' })), 'alice')).toEqual(refused('stamp-user-differs'));
    expect(seen.count).toBe(2);
  });

  it('is found anew when the keys are others [stamp-verified] [stamp-key]', () => {
    let keys = KEYS;
    const judge = createStampJudge({ requireSignature: true, stampKeys: () => keys });
    const pod = podWith(signed());
    expect(judge(pod, 'alice')).toEqual(believed);
    keys = createPublicKeys([otherSigningKey]);
    expect(judge(pod, 'alice')).toEqual(refused('stamp-key-unknown'));
    keys = createPublicKeys([otherSigningKey, signingKey]);
    expect(judge(pod, 'alice')).toEqual(believed);
  });

  it('is no verdict on another user [stamp-user]', () => {
    const pod = podWith(signed());
    expect(strict(pod, 'alice')).toEqual(believed);
    expect(strict(pod, 'bob')).toEqual(refused('stamp-user-differs'));
    expect(strict(pod, 'alice')).toEqual(believed);
  });
});
