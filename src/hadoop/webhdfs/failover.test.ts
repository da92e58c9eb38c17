import { beforeEach, describe, expect, it } from '@jest/globals';

import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { BreakerOpenError } from '../../concurrency/breaker.ts';
import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import type { TokenServiceFailure } from '../../delegation-tokens/token-service.ts';
import { SpnegoError } from '../spnego.ts';
import type { SpnegoFailure } from '../spnego.ts';
import { Failover } from './failover.ts';

type Answer = 'ok' | 'held-back' | TokenServiceFailure | SpnegoFailure;

let clock: FakeClock;
let asked: string[];
/** What each member answers now. */
let answers: Record<string, Answer>;
let random: number;

beforeEach(() => {
  clock = new FakeClock();
  asked = [];
  random = 0;
});

const ask = async (member: string): Promise<string> => {
  asked.push(member);
  const answer = answers[member] ?? 'ok';
  if (answer === 'ok') return `from ${member}`;
  throw failureOf(answer, member);
};

const couldNotAsk: readonly Answer[] = ['kdc-unreachable', 'process'];
const noTicket: readonly Answer[] = ['credentials', 'unknown-service', 'configuration', 'gss'];
const isSpnegoFailure = (answer: Answer): answer is SpnegoFailure =>
  couldNotAsk.includes(answer) || noTicket.includes(answer);

function failureOf(answer: Exclude<Answer, 'ok'>, member: string): TokenServiceError {
  if (isSpnegoFailure(answer)) {
    const failure = couldNotAsk.includes(answer) ? 'unreachable' : 'authentication';
    return new TokenServiceError(failure, answer, {
      dependency: 'kerberos',
      cause: new SpnegoError(answer, 'x'),
    });
  }
  if (answer === 'held-back') {
    return new TokenServiceError('unreachable', `${member} was not asked`, {
      cause: new BreakerOpenError(0, 1000),
    });
  }
  return new TokenServiceError(answer, `${member} says so`, {
    endpoint: `http://${member}`,
    fix: `mend ${member}`,
  });
}

const failover = (members: readonly string[] = ['nn1', 'nn2'], rounds?: number) =>
  new Failover({
    members,
    nameOf: (member) => member,
    clock,
    random: () => random,
    ...(rounds === undefined ? {} : { rounds }),
  });

/** Lets all pauses pass. */
async function settled<T>(call: Promise<T>): Promise<T> {
  const done = call.then(
    () => true,
    () => true,
  );
  for (let second = 0; second < 120; second += 1) {
    await clock.advance(1000);
    if (await Promise.race([done, settle().then(() => false)])) break;
  }
  return await call;
}

const errorOf = async (call: Promise<unknown>): Promise<TokenServiceError> => {
  const error: unknown = await settled(call).catch((reason: unknown) => reason);
  if (!(error instanceof TokenServiceError)) throw new Error(`no TokenServiceError: ${String(error)}`);
  return error;
};

it('needs a member', () => {
  expect(() => failover([])).toThrow(RangeError);
});

describe('who is asked', () => {
  it('is the first, and then whoever answered last', async () => {
    const pair = failover();
    answers = { nn1: 'not-active' };
    expect(await pair.run(ask)).toBe('from nn2');
    expect(await pair.run(ask)).toBe('from nn2');
    answers = { nn2: 'not-active' };
    expect(await pair.run(ask)).toBe('from nn1');
    expect(await pair.run(ask)).toBe('from nn1');
    expect(asked).toEqual(['nn1', 'nn2', 'nn2', 'nn2', 'nn1', 'nn1']);
  });

  it.each([
    'not-active',
    'unreachable',
    'held-back',
    'authentication',
    'unknown-service',
    'gss',
    'process',
  ] as const)('is the next one after %s', async (answer) => {
    answers = { nn1: answer };
    expect(await failover().run(ask)).toBe('from nn2');
    expect(asked).toEqual(['nn1', 'nn2']);
  });

  it.each([
    'overloaded',
    'safe-mode',
    'denied',
    'invalid-token',
    'bad-request',
    'wrong-token',
    'credentials',
    'configuration',
    'kdc-unreachable',
  ] as const)('is nobody else after %s', async (answer) => {
    answers = { nn1: answer };
    await errorOf(failover().run(ask));
    expect(asked).toEqual(['nn1']);
  });

  it.each(['denied', 'overloaded'] as const)('does not change by %s', async (answer) => {
    const pair = failover();
    answers = { nn1: 'not-active', nn2: answer };
    await errorOf(pair.run(ask));
    answers = {};
    expect(await pair.run(ask)).toBe('from nn1');
  });

  it.each([
    ['denied', 'AccessControlException', 'nn2'],
    ['safe-mode', 'SafeModeException', 'nn2'],
    ['invalid-token', 'InvalidToken', 'nn2'],
    // A standby says so too.
    ['denied', 'AuthorizationException', 'nn1'],
    ['bad-request', 'IllegalArgumentException', 'nn1'],
  ] as const)('after %s (%s) is first %s', async (failure, exception, expected) => {
    const pair = failover();
    const refuse = async (member: string): Promise<string> => {
      if (member === 'nn1') throw failureOf('unreachable', member);
      throw new TokenServiceError(failure, 'no', { exception });
    };
    await errorOf(pair.run(refuse));
    expect(await pair.run(ask)).toBe(`from ${expected}`);
  });

  it('is only who still knows us when there is no KDC, and once', async () => {
    const trio = new Failover({
      members: ['nn1', 'nn2', 'nn3'],
      nameOf: (member) => member,
      isKnownTo: (member) => member === 'nn3',
      clock,
      random: () => random,
    });
    answers = { nn1: 'kdc-unreachable', nn3: 'unreachable' };
    expect(await errorOf(trio.run(ask))).toMatchObject({
      message: expect.stringContaining('nn1: unreachable: kdc-'),
      dependency: 'kerberos',
    });
    expect(asked).toEqual(['nn1', 'nn3']);
  });

  it('is nobody else when the request may have been done, and then another one first', async () => {
    const pair = failover();
    const slow = new TokenServiceError('unreachable', 'no answer', { mayHaveActed: true });
    const act = async (member: string): Promise<string> => {
      asked.push(member);
      throw slow;
    };
    expect(await errorOf(pair.run(act))).toBe(slow);
    expect(await errorOf(pair.run(act))).toBe(slow);
    expect(asked).toEqual(['nn1', 'nn2']);
  });

  it.each([
    [0, 2],
    [1, 4],
  ])('is nobody again when a round cannot end in time: %d ms more, %d asked', async (moreMs, count) => {
    const pair = new Failover({
      members: ['nn1', 'nn2'],
      nameOf: (member) => member,
      askTimeoutMs: 1000,
      clock,
      random: () => random,
    });
    answers = { nn1: 'unreachable', nn2: 'unreachable' };
    // The pause is 500 ms.
    await errorOf(pair.run(ask, { deadline: clock.now() + 2499 + moreMs }));
    expect(asked).toHaveLength(count);
  });

  it.each([
    ['not-active', ['nn1', 'nn2', 'nn1', 'nn2', 'nn1', 'nn2']],
    ['unreachable', ['nn1', 'nn2', 'nn1', 'nn2', 'nn1', 'nn2']],
    ['authentication', ['nn1', 'nn2']],
    ['unknown-service', ['nn1', 'nn2']],
    ['kdc-unreachable', ['nn1']],
    ['process', ['nn1', 'nn2']],
    // No pause, no second round: it is to fail at once.
    ['held-back', ['nn1', 'nn2']],
  ] as const)('when all say %s is %j', async (answer, expected) => {
    answers = { nn1: answer, nn2: answer };
    await errorOf(failover().run(ask));
    expect(asked).toEqual(expected);
  });

  it('is not the one that refused our authentication, a second time', async () => {
    answers = { nn1: 'authentication', nn2: 'not-active' };
    await errorOf(failover().run(ask));
    expect(asked).toEqual(['nn1', 'nn2', 'nn2', 'nn2']);
  });

  it.each([
    ['held-back', 'not-active'],
    ['not-active', 'held-back'],
  ] as const)('is everybody again while one of them was asked: %s, %s', async (nn1, nn2) => {
    answers = { nn1, nn2 };
    const call = failover().run(ask);
    await settle();
    // Whose time is over meanwhile is asked like the others.
    answers = {};
    expect(await settled(call)).toBe('from nn1');
    expect(asked).toEqual(['nn1', 'nn2', 'nn1']);
  });

  it('is nobody again when the others have refused our authentication', async () => {
    answers = { nn1: 'authentication', nn2: 'held-back' };
    expect(await errorOf(failover().run(ask))).toMatchObject({ failure: 'authentication' });
    expect(asked).toEqual(['nn1', 'nn2']);
  });

  it('is the only one there is, in every round', async () => {
    answers = { nn1: 'unreachable' };
    await errorOf(failover(['nn1'], 2).run(ask));
    expect(asked).toEqual(['nn1', 'nn1']);
  });

  it('finds one that becomes active meanwhile', async () => {
    answers = { nn1: 'unreachable', nn2: 'not-active' };
    const call = failover().run(ask);
    await settle();
    answers = { nn1: 'unreachable' };
    expect(await settled(call)).toBe('from nn2');
    expect(asked).toEqual(['nn1', 'nn2', 'nn1', 'nn2']);
  });
});

describe('the pause', () => {
  it.each([
    [0, [500, 1000]],
    [0.999_999, [1000, 2000]],
  ])('with random %d is %j', async (value, pauses) => {
    random = value;
    answers = { nn1: 'unreachable', nn2: 'unreachable' };
    const call = errorlessly(failover().run(ask));
    await settle();
    for (const [round, pause] of pauses.entries()) {
      expect(asked).toHaveLength(2 * (round + 1));
      await clock.advance(pause - 1);
      expect(asked).toHaveLength(2 * (round + 1));
      await clock.advance(1);
    }
    expect(asked).toHaveLength(6);
    await call;
    expect(clock.sleeping).toBe(0);
  });

  it('has a limit', async () => {
    random = 0.999_999;
    answers = { nn1: 'unreachable' };
    const call = errorlessly(failover(['nn1'], 8).run(ask));
    await clock.advance(1000 + 2000 + 4000 + 8000 + 15_000 + 15_000 + 15_000);
    expect(asked).toHaveLength(8);
    await call;
  });
});

const errorlessly = async (call: Promise<unknown>): Promise<void> => {
  await call.catch(() => {});
};

describe('the error', () => {
  it('of one member is its own', async () => {
    answers = { nn1: 'unreachable' };
    expect(await errorOf(failover(['nn1'], 1).run(ask))).toMatchObject({
      failure: 'unreachable',
      message: 'nn1 says so',
    });
  });

  it.each([
    ['not-active', 'not-active', 'not-active'],
    ['not-active', 'unreachable', 'unreachable'],
    ['unreachable', 'not-active', 'unreachable'],
    ['authentication', 'not-active', 'authentication'],
    ['unreachable', 'authentication', 'authentication'],
  ] as const)('of %s and %s is %s', async (nn1, nn2, failure) => {
    answers = { nn1, nn2 };
    const error = await errorOf(failover().run(ask));
    const member = nn1 === failure ? 'nn1' : 'nn2';
    expect(error).toMatchObject({ failure, endpoint: `http://${member}`, fix: `mend ${member}` });
    expect(error.message).toContain(`nn1: ${nn1}: nn1 says so; nn2: ${nn2}: nn2 says so`);
  });

  it('of one that was asked, and then held back, is what it was when it was asked', async () => {
    answers = { nn1: 'unreachable' };
    const call = failover(['nn1']).run(ask);
    await settle();
    answers = { nn1: 'held-back' };
    expect(await errorOf(call)).toMatchObject({ message: 'nn1 says so' });
    expect(asked).toEqual(['nn1', 'nn1']);
  });

  it('that is none of ours is handed on', async () => {
    const bug = new TypeError('bug');
    await expect(failover().run(() => Promise.reject(bug))).rejects.toBe(bug);
  });
});

describe('the signal', () => {
  it('ends the pause', async () => {
    answers = { nn1: 'unreachable', nn2: 'unreachable' };
    const caller = new AbortController();
    const call = failover().run(ask, { signal: caller.signal });
    await settle();
    caller.abort(new Error('deadline'));
    await expect(call).rejects.toThrow('deadline');
    expect([asked.length, clock.sleeping]).toEqual([2, 0]);
  });

  it('lets nobody be asked when it was aborted before', async () => {
    await expect(failover().run(ask, { signal: AbortSignal.abort(new Error('late')) })).rejects.toThrow(
      'late',
    );
    expect(asked).toEqual([]);
  });

  it('that explains itself is told with what was learned', async () => {
    const deadline = new AbortController();
    const reason = new TokenServiceError('unreachable', 'no token within 5 s');
    const call = failover(['nn1', 'nn2', 'nn3']).run(
      async (member) => {
        if (member === 'nn1') throw failureOf('not-active', member);
        if (member === 'nn2') throw failureOf('authentication', member);
        deadline.abort(reason);
        throw reason;
      },
      { signal: deadline.signal },
    );
    expect(await errorOf(call)).toMatchObject({
      failure: 'authentication',
      message:
        'no token within 5 s; none of 2 answered; nn1: not-active: nn1 says so; nn2: authentication: nn2 says so; nn3 has not answered yet',
      endpoint: 'http://nn2',
      fix: 'mend nn2',
      cause: reason,
    });
  });

  it('that explains itself names who was asked when nothing was learned', async () => {
    const deadline = new AbortController();
    const reason = new TokenServiceError('unreachable', 'no token within 5 s');
    const call = failover().run(
      async () => {
        deadline.abort(reason);
        throw reason;
      },
      { signal: deadline.signal },
    );
    const error = await errorOf(call);
    expect(error.message).toBe('no token within 5 s; nn1 has not answered yet');
    expect(error.fix).toContain('limits.');
  });

  it('is the reason, not the failure that came of it', async () => {
    const caller = new AbortController();
    const call = failover().run(
      async () => {
        caller.abort(new Error('deadline'));
        throw new TokenServiceError('unreachable', 'aborted');
      },
      { signal: caller.signal },
    );
    await expect(call).rejects.toThrow('deadline');
  });
});
