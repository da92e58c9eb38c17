import { beforeEach, describe, expect, it } from '@jest/globals';
import { LifeWorld } from '../../test/fakes/token-life-world.ts';
import { PROVEN_LATELY_MS, type RejectedOutcome, type RejectedReport } from './rejected-token.ts';
import type { Sharing } from './sharing.ts';
import { TokenServiceError } from './token-service.ts';

const report: RejectedReport = {
  namespace: 'science',
  podUid: 'uid-1',
  stampedUser: 'alice',
  sequenceNumber: 1,
};

let world: LifeWorld;

/** With a token that was proven a while ago. */
async function begin(scope: ReturnType<Sharing['scopeOf']> = 'namespace'): Promise<void> {
  world = await new LifeWorld({ sharing: { scopeOf: () => scope } }).start();
  world.pod();
  await world.get();
  await world.clock.advance(PROVEN_LATELY_MS);
}

async function answer(change: Partial<RejectedReport> = {}): Promise<RejectedOutcome> {
  const answered = world.life.reportRejected({ ...report, ...change });
  await world.clock.advance(2_000);
  return await answered;
}

beforeEach(async () => {
  await begin();
});

describe('a report that a token was refused', () => {
  it.each<[ReturnType<Sharing['scopeOf']>, Partial<RejectedReport>, RejectedOutcome]>([
    ['namespace', {}, 'alive'],
    ['namespace', { podUid: 'uid-2' }, 'alive'],
    ['namespace', { namespace: 'other' }, 'unknown'],
    ['namespace', { stampedUser: 'bob' }, 'unknown'],
    ['namespace', { sequenceNumber: 2 }, 'unknown'],
    ['pod', {}, 'alive'],
    ['pod', { podUid: 'uid-2' }, 'unknown'],
    ['pod', { namespace: 'other' }, 'unknown'],
    ['pod', { stampedUser: 'bob' }, 'unknown'],
    ['user', { namespace: 'other', podUid: 'uid-2' }, 'alive'],
    ['user', { stampedUser: 'bob' }, 'unknown'],
  ])('of scope %s, by %j: %s', async (scope, change, outcome) => {
    await begin(scope);
    expect(await answer(change)).toBe(outcome);
    // Whoever may not hold it makes us ask nobody.
    expect(world.count('renew')).toBe(outcome === 'alive' ? 2 : 1);
  });

  it('asks Hadoop no more than once in a while', async () => {
    const answers = [answer(), answer(), answer()];
    expect(await Promise.all(answers)).toEqual(['alive', 'alive', 'alive']);
    expect(await answer()).toBe('alive');
    expect(world.count('renew')).toBe(2);
  });

  it('of a dead one leads to another', async () => {
    await world.tokenService.cancel((await world.get()).token);
    expect(await answer()).toBe('dead');
    expect((await world.get()).token.sequenceNumber).toBe(2);
    expect(await answer()).toBe('unknown');
  });

  it('of a dead one is known to be right while the store is away', async () => {
    await world.tokenService.cancel((await world.get()).token);
    world.store.away = true;
    expect(await answer()).toBe('dead');
    const renewals = world.count('renew');
    expect([await answer(), world.count('renew')]).toEqual(['dead', renewals]);
  });

  it('is not answered when Hadoop can`t be, and the token stays', async () => {
    world.tokenService.failNext('renew', new TokenServiceError('unreachable', 'no NameNode'));
    expect(await answer()).toBe('unanswered');
    expect((await world.get()).token.sequenceNumber).toBe(1);
  });
});
