import { describe, expect, it } from '@jest/globals';
import { ANNOTATION, DecoratorWorld, pod } from '../../test/fakes/decorator-world.ts';
import { newSigningKey, publicKeysOf } from '../identity/stamps/stamp-keys.ts';
import type { AdmissionRequest } from './review/admission-request.ts';
import { whosePod } from './whose-pod.ts';

const signal = new AbortController().signal;
const signing = newSigningKey();
const keys = { signing, all: publicKeysOf({ keys: [signing] }) };
const MIRROR = { 'kubernetes.io/config.mirror': 'hash', [ANNOTATION]: 'alice' };
const NODE = { username: 'system:node:worker-1', uid: undefined, groups: ['system:nodes'], extra: {} };

describe('a mirror pod', () => {
  const ask = async (userInfo: AdmissionRequest['userInfo'], annotations: object) => {
    const world = new DecoratorWorld();
    const review = world.review({ object: pod('static-worker-1', { annotations }), userInfo });
    return await whosePod(
      { ...review, namespace: 'team-a', namespaceUid: 'f0a1' },
      world.parts,
      keys,
      signal,
    );
  };

  it('of a node is nobody’s', async () => {
    expect(await ask(NODE, MIRROR)).toEqual({ outcome: 'nobody', why: 'mirror-pod' });
  });

  it.each([
    ['of a person', { ...NODE, username: 'bob' }],
    ['of who is called as a node and is none', { ...NODE, groups: [] }],
    ['of who is with the nodes and is none', { ...NODE, username: 'system:nodes:worker-1' }],
  ])('%s is taken for what it is', async (_, userInfo) => {
    expect(await ask(userInfo, MIRROR)).not.toMatchObject({ outcome: 'nobody' });
  });

  it('is what says so: a node makes no other pods', async () => {
    expect(await ask(NODE, {})).toMatchObject({ outcome: 'refused', reason: 'system-requester' });
  });
});
