import { describe, expect, it } from '@jest/globals';
import { accountInPod, person, requesterWorld, stampedPod } from '../../../test/fakes/requester-world.ts';
import { explainRefusal } from './explain-refusal.ts';
import { quote } from './quote.ts';
import type { RequesterRefusal } from './requester.ts';

/** Each of them, by the compiler. */
const REASONS: Readonly<Record<RequesterRefusal, RegExp>> = {
  'requester-malformed': /log in as somebody else/,
  'service-account-unproven': /kubectl create token/,
  'delegate-not-in-namespace': /leave the annotation the\/key out.*delegates/,
  'delegate-names-nobody': /set the annotation the\/key/,
  'delegate-may-not-name-user': /may not name "bob" in namespace "team-a".*delegates/,
  'creator-pod-malformed': /use the token mounted in the pod/,
  'creator-pod-not-found': /start it again/,
  'creator-pod-uid-differs': /use the token mounted in that one/,
  'creator-pod-service-account-differs': /use the token mounted in the pod/,
  'creator-pod-finished': /start it again/,
  'creator-pod-terminating': /start it again/,
  'creator-pod-not-stamped': /create that pod anew in this namespace/,
  'rule-refuses': /ask an administrator/,
  'rule-ambiguous': /make the rule of requesters more exact/,
  'system-requester': /create the object as a user.*trustedControllers/,
  'service-account-not-mapped': /create the object as a user/,
  'requester-not-mapped': /add a rule of requesters/,
  'user-name-invalid': /"bob" is not the name of a Hadoop user: check/,
  'user-outside-namespace-rule': /"bob" may not be used in namespace "team-a": use a namespace of yours/,
  'user-denied': /"bob" .*: use another user/,
};

describe('explainRefusal', () => {
  it.each(Object.entries(REASONS))('says what to do: %s', (reason, pattern) => {
    const question = { requester: person('alice@x'), namespace: 'team-a', namedUser: undefined };
    const text = explainRefusal({
      reason: reason as RequesterRefusal,
      question,
      user: 'bob',
      annotation: 'the/key',
    });
    expect(text).toMatch(pattern);
    expect(text).not.toMatch(/undefined|\n/);
    expect(text.length).toBeLessThan(400);
  });
});

describe('a refusal', () => {
  it('tells the person what to do, and the operator more [creator-pod-stamp]', async () => {
    const world = requesterWorld({ pods: [stampedPod('driver', 'alice', { annotations: {} })] });
    expect(await world(accountInPod('team-a:default', 'driver'))).toEqual({
      outcome: 'refused',
      reason: 'creator-pod-not-stamped',
      text:
        'the pod that "system:serviceaccount:team-a:default" asks from speaks for no user, so what it makes would not ' +
        'either: create that pod anew in this namespace, as a user',
      detail: 'stamp-absent',
    });
  });

  it('shows names in ASCII and in short [requester-plain-name]', async () => {
    const refused = await requesterWorld()(person(`\u202E\n"${'x'.repeat(1_000)}`));
    const text = refused.outcome === 'refused' ? refused.text : '';
    expect(text).toContain(String.raw`which Hadoop user "\u202e\n\"xxx`);
    expect(text.length).toBeLessThan(250);
  });
});

describe('quote', () => {
  it.each([
    ['alice', '"alice"'],
    ['a\0b\u007F', String.raw`"a\u0000b\u007f"`],
    ['\u{1F600}', String.raw`"\ud83d\ude00"`],
    ['\uD83D', String.raw`"\ud83d"`],
    ['', '""'],
  ])('%j', (text, quoted) => {
    expect(quote(text)).toBe(quoted);
    expect(JSON.parse(quoted)).toBe(text);
  });
});
