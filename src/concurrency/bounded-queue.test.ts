import { getEventListeners } from 'node:events';

import { describe, expect, it } from '@jest/globals';

import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { BoundedQueue, QueueFullError, type QueueRunOptions, QueueTimeoutError } from './bounded-queue.ts';

function world({ inFlight = 1, waiting = 2, lanes = 1 } = {}) {
  const clock = new FakeClock();
  const queue = new BoundedQueue({ clock, inFlight, waiting, lanes });
  const begun: string[] = [];
  /** Work that ends when it is told to. */
  const work = (name: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const run = () => {
      begun.push(name);
      return promise;
    };
    return { run, end: () => resolve(name), fail: () => reject(new Error(name)) };
  };
  const counts = () => [queue.running, queue.waiting];
  return { clock, queue, begun, work, counts };
}

const never = () => new Promise<never>(() => {});

const outcomeOf = async (call: Promise<unknown>): Promise<unknown> =>
  await call.catch((error: unknown) => error);

/** One runs until `end`; those that come then wait, and `began` tells in which order their turn came. */
function busy(waiting: number, lanes: number) {
  const made = world({ waiting, lanes });
  const { queue, begun } = made;
  const first = made.work('first');
  const running = queue.run(first.run);
  return {
    ...made,
    come: (name: string, options: QueueRunOptions) =>
      outcomeOf(queue.run(async () => void begun.push(name), options)),
    end: async () => {
      first.end();
      await running;
    },
    began: () => begun.slice(1),
  };
}

describe('a full queue', () => {
  it('refuses at once, and begins nothing', async () => {
    const { queue, begun, work, counts } = world();
    const works = ['a', 'b', 'c', 'd'].map(work);
    const calls = works.map(({ run }) => queue.run(run));
    expect(await outcomeOf(calls[3] ?? Promise.resolve())).toBeInstanceOf(QueueFullError);
    expect(begun).toEqual(['a']);
    expect(counts()).toEqual([1, 2]);
    for (const { end } of works) end();
    expect(await Promise.all(calls.slice(0, 3))).toEqual(['a', 'b', 'c']);
    expect(counts()).toEqual([0, 0]);
  });

  it('lets nobody wait where nobody may', async () => {
    const { queue, work } = world({ waiting: 0 });
    const first = work('a');
    const call = queue.run(first.run);
    await expect(queue.run(work('b').run)).rejects.toBeInstanceOf(QueueFullError);
    first.end();
    await call;
    expect(await queue.run(async () => 'again')).toBe('again');
  });
});

describe('a caller that waits', () => {
  it('too long is told so, and frees its place in the queue', async () => {
    const { clock, queue, begun, work, counts } = world();
    const first = work('a');
    const running = queue.run(first.run);
    const late = outcomeOf(queue.run(work('late').run, { maxWaitMs: 100 }));
    const patient = queue.run(async () => begun.push('patient'));
    await clock.advance(99);
    expect(counts()).toEqual([1, 2]);
    await clock.advance(1);
    expect(await late).toBeInstanceOf(QueueTimeoutError);
    expect(counts()).toEqual([1, 1]);
    first.end();
    await Promise.all([running, patient]);
    expect(begun).toEqual(['a', 'patient']);
  });

  it('waits on while others are answered, and no longer than it may in all', async () => {
    const { clock, queue, work, counts } = world({ waiting: 20 });
    const works = Array.from({ length: 12 }, (_, n) => work(`${n}`));
    const calls = works.map(({ run }) => queue.run(run, { maxWaitMs: 1_000, maxQuietMs: 100 }));
    const outcomes = calls.map(outcomeOf);
    for (const { end } of works.slice(0, 11)) {
      await clock.advance(90);
      end();
      await settle();
    }
    expect(counts()).toEqual([1, 0]);
    const rest = [work('late'), work('later')].map(({ run }) =>
      outcomeOf(queue.run(run, { maxWaitMs: 150, maxQuietMs: 100 })),
    );
    await clock.advance(90);
    works[11]?.end();
    await settle();
    await clock.advance(60);
    expect(await rest[1]).toMatchObject({ message: 'no turn within 150 ms' });
    expect(await Promise.all(outcomes)).toEqual(works.map((_, n) => `${n}`));
  });

  it('waits for ever while others are answered, when only the quiet has a limit', async () => {
    const { clock, queue, work } = world({ waiting: 20 });
    const works = Array.from({ length: 12 }, (_, n) => work(`${n}`));
    const outcomes = works.map(({ run }) => outcomeOf(queue.run(run, { maxQuietMs: 100 })));
    for (const { end } of works.slice(0, 10)) {
      await clock.advance(90);
      end();
      await settle();
    }
    await clock.advance(100);
    expect(await outcomes[11]).toMatchObject({ message: 'no turn, and no answer to anybody within 100 ms' });
    works[10]?.end();
    expect(await Promise.all(outcomes.slice(0, 11))).toEqual(works.slice(0, 11).map((_, n) => `${n}`));
  });

  it.each([
    ['nobody is answered', undefined],
    ['calls fail', new Error('down')],
  ])('goes before its time is up when %s', async (_name, failure) => {
    const { clock, queue, begun } = world({ inFlight: 2, waiting: 9 });
    const failing = Promise.withResolvers<never>();
    const running = [queue.run(never), outcomeOf(queue.run(async () => await failing.promise))];
    const waits = [1, 2, 3].map((n) =>
      outcomeOf(
        queue.run(async () => await never().finally(() => begun.push(`${n}`)), {
          maxWaitMs: 1_000,
          maxQuietMs: 100,
        }),
      ),
    );
    await clock.advance(50);
    if (failure !== undefined) failing.reject(failure);
    await clock.advance(49);
    expect(queue.waiting).toBe(failure === undefined ? 3 : 2);
    await clock.advance(1);
    expect(queue.waiting).toBe(0);
    expect(await waits[2]).toMatchObject({ message: 'no turn, and no answer to anybody within 100 ms' });
    expect(running).toHaveLength(2);
  });

  it('and gives up leaves with its own reason, whichever place it had', async () => {
    const { clock, queue, begun, work, counts } = world({ waiting: 5 });
    const first = work('a');
    const running = queue.run(first.run);
    const callers = ['b', 'c', 'd', 'e', 'f'].map((name) => {
      const controller = new AbortController();
      const call = queue.run(async () => begun.push(name), { signal: controller.signal, maxWaitMs: 1000 });
      return { controller, outcome: outcomeOf(call) };
    });
    for (const index of [2, 0, 4]) callers[index]?.controller.abort(`gone ${index}`);
    expect(counts()).toEqual([1, 2]);
    first.end();
    await running;
    const outcomes = await Promise.all(callers.map(({ outcome }) => outcome));
    expect(outcomes).toEqual(['gone 0', 2, 'gone 2', 3, 'gone 4']);
    expect(begun).toEqual(['a', 'c', 'e']);
    expect(counts()).toEqual([0, 0]);
    expect(clock.sleeping).toBe(0);
    for (const { controller } of callers) expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('and gives up in the moment its turn comes hands the place on', async () => {
    const { queue, begun, work, counts } = world();
    const first = work('a');
    const caller = new AbortController();
    const running = queue.run(async () => {
      await first.run();
      // Its place is handed over in the same turn of the event loop, before or after this.
      queueMicrotask(() => {
        queueMicrotask(() => caller.abort('at the last moment'));
      });
    });
    const leaver = outcomeOf(queue.run(work('leaver').run, { signal: caller.signal }));
    const next = queue.run(async () => begun.push('next'));
    first.end();
    expect(await leaver).toBe('at the last moment');
    await Promise.all([running, next]);
    expect(begun).toEqual(['a', 'next']);
    expect(counts()).toEqual([0, 0]);
  });

  it('stops its timer when its turn comes', async () => {
    const { clock, queue, work } = world();
    const [first, second] = [work('a'), work('b')];
    const calls = [queue.run(first.run), queue.run(second.run, { maxWaitMs: 100 })];
    first.end();
    await calls[0];
    await clock.advance(200);
    second.end();
    expect(await calls[1]).toBe('b');
    expect(clock.sleeping).toBe(0);
  });

  it('has its turn once, also when its timer ends in the same moment', async () => {
    const timer = Promise.withResolvers<void>();
    // As a timer that has ended, but whose sleeper was not told yet when it was stopped.
    const clock = { now: () => 0, uptime: () => 0, sleep: () => timer.promise };
    const queue = new BoundedQueue({ clock, inFlight: 1, waiting: 2 });
    const [first, second, third] = ['a', 'b', 'c'].map(world().work);
    const calls = [first, second, third].map((work) => queue.run(work?.run ?? never, { maxWaitMs: 100 }));
    first?.end();
    await calls[0];
    await settle();
    // The third leaves, the second does not.
    timer.resolve();
    expect(await outcomeOf(calls[2] ?? never())).toBeInstanceOf(QueueTimeoutError);
    expect([queue.running, queue.waiting]).toEqual([1, 0]);
    second?.end();
    expect(await calls[1]).toBe('b');
    expect([queue.running, queue.waiting]).toEqual([0, 0]);
  });

  it('starts nothing when it comes aborted', async () => {
    const { queue, begun, work, counts } = world();
    const signal = AbortSignal.abort('late');
    expect(await outcomeOf(queue.run(work('a').run, { signal }))).toBe('late');
    expect([begun, counts()]).toEqual([[], [0, 0]]);
  });
});

describe('lanes', () => {
  const [URGENT, USUAL, LATER] = [0, 1, 2];

  const LANES: Readonly<Record<string, number>> = { u: URGENT, i: USUAL, l: LATER };

  /** Each waits in the lane of its first letter. */
  function threeLanes(waiting: number) {
    const made = busy(waiting, 3);
    const come = (name: string, more: QueueRunOptions = {}) =>
      made.come(name, { lane: LANES[name.charAt(0)] ?? URGENT, ...more });
    return { ...made, come };
  }

  it('go by urgency, and each in the order of coming', async () => {
    const { queue, come, end, began } = threeLanes(10);
    const calls = ['l1', 'i1', 'u1', 'l2', 'i2', 'u2', 'i3'].map((name) => come(name));
    expect([queue.waiting, queue.waitingByLane]).toEqual([7, [2, 3, 2]]);
    await end();
    await Promise.all(calls);
    expect(began()).toEqual(['u1', 'u2', 'i1', 'i2', 'i3', 'l1', 'l2']);
    expect([queue.running, queue.waitingByLane]).toEqual([0, [0, 0, 0]]);
  });

  it.each([
    ['the youngest of the last lane', ['i1', 'l1', 'l2', 'i2'], 'u1', 'l2'],
    ['the youngest of the lane between when the last is empty', ['i1', 'i2', 'u1', 'i3'], 'u2', 'i3'],
    ['the youngest of the last lane also for one of the lane between', ['u1', 'l1', 'l2', 'i1'], 'i2', 'l2'],
    ['the only one', ['u1', 'u2', 'u3', 'l1'], 'i1', 'l1'],
  ])('who comes to a full queue displaces %s', async (_, waiting, comer, displaced) => {
    const { queue, come, end, began } = threeLanes(4);
    const calls = new Map(waiting.map((name) => [name, come(name)]));
    const last = come(comer);
    expect(await calls.get(displaced)).toBeInstanceOf(QueueFullError);
    expect(await calls.get(displaced)).toMatchObject({
      message: '1 calls run and 4 wait, and a more urgent one came',
    });
    expect(queue.waiting).toBe(4);
    await end();
    await Promise.all([...calls.values(), last]);
    expect(began()).not.toContain(displaced);
    expect(began().toSorted()).toEqual([...waiting, comer].filter((name) => name !== displaced).toSorted());
  });

  it.each([
    ['u3', ['u1', 'u2']],
    ['i3', ['i1', 'u1']],
    ['l3', ['l1', 'i1']],
    ['l3', ['u1', 'u2']],
  ])('%s is refused when %j wait and nobody else may: none is less urgent', async (comer, waiting) => {
    const { queue, come, end, began } = threeLanes(2);
    const calls = waiting.map((name) => come(name));
    const refused = await come(comer);
    expect(refused).toBeInstanceOf(QueueFullError);
    expect(refused).toMatchObject({ message: '1 calls run and 2 wait' });
    expect(queue.waiting).toBe(2);
    await end();
    await Promise.all(calls);
    expect(began().toSorted()).toEqual(waiting.toSorted());
  });

  it('keep every urgent call through a flood of others', async () => {
    const { queue, come, end, began } = threeLanes(20);
    const flood: Promise<unknown>[] = [];
    const urgent: Promise<unknown>[] = [];
    for (let index = 0; index < 1000; index += 1) {
      flood.push(come(`i${index}`));
      if (index % 50 === 0) urgent.push(come(`u${index}`));
    }
    expect(queue.waitingByLane).toEqual([20, 0, 0]);
    await end();
    await Promise.all(urgent);
    expect(began()).toEqual(Array.from({ length: 20 }, (_, index) => `u${index * 50}`));
    for (const outcome of await Promise.all(flood)) expect(outcome).toBeInstanceOf(QueueFullError);
  });

  it('leave neither timer nor listener of who was displaced, nor count it twice', async () => {
    const { clock, queue, come, end, began } = threeLanes(1);
    const caller = new AbortController();
    const displaced = come('l1', { maxWaitMs: 100, signal: caller.signal });
    const urgent = come('u1');
    expect(await displaced).toBeInstanceOf(QueueFullError);
    expect([clock.sleeping, getEventListeners(caller.signal, 'abort')]).toEqual([0, []]);
    caller.abort('gone');
    await clock.advance(200);
    expect(queue.waitingByLane).toEqual([1, 0, 0]);
    await end();
    await urgent;
    expect([began(), queue.running, queue.waiting]).toEqual([['u1'], 0, 0]);
  });

  it('have no room where nobody may wait', async () => {
    const { come, end } = threeLanes(0);
    expect(await come('u1')).toBeInstanceOf(QueueFullError);
    await end();
  });

  it('that are not there are a bug of the caller', async () => {
    const { queue, end } = threeLanes(2);
    await expect(queue.run(never, { lane: 3 })).rejects.toBeInstanceOf(RangeError);
    await end();
    expect([queue.running, queue.waiting]).toEqual([0, 0]);
  });
});

describe('work', () => {
  it('that fails, also at once, frees its place and tells its error', async () => {
    const { queue, work, counts } = world();
    const first = work('a');
    const calls = [
      queue.run(first.run),
      queue.run(() => {
        throw new Error('thrown');
      }),
      queue.run(async () => 'c'),
    ];
    first.fail();
    expect(await Promise.allSettled(calls)).toEqual([
      { status: 'rejected', reason: new Error('a') },
      { status: 'rejected', reason: new Error('thrown') },
      { status: 'fulfilled', value: 'c' },
    ]);
    expect(counts()).toEqual([0, 0]);
  });

  it('keeps its place until it has settled, also when its caller is gone', async () => {
    const { queue, begun, work, counts } = world();
    const first = work('a');
    const caller = new AbortController();
    const running = queue.run(first.run, { signal: caller.signal });
    const next = queue.run(async () => begun.push('b'));
    caller.abort('gone');
    await settle();
    expect([begun, counts()]).toEqual([['a'], [1, 1]]);
    first.end();
    expect(await running).toBe('a');
    await next;
  });

  it('begins at once while there is room', async () => {
    const { queue, begun, work } = world({ inFlight: 2 });
    const works = ['a', 'b'].map(work);
    const calls = works.map(({ run }) => queue.run(run));
    expect(begun).toEqual(['a', 'b']);
    for (const { end } of works) end();
    await Promise.all(calls);
  });
});

it('runs 10,000 in order of their coming, 8 at once, with others leaving in between', async () => {
  const { queue, counts } = world({ inFlight: 8, waiting: 10_000 });
  const begun: number[] = [];
  let most = 0;
  const calls = Array.from({ length: 10_008 }, (_, index) => {
    const controller = new AbortController();
    const call = queue.run(
      async () => {
        most = Math.max(most, queue.running);
        await Promise.resolve();
        begun.push(index);
      },
      { signal: controller.signal },
    );
    return { controller, outcome: outcomeOf(call) };
  });
  expect(counts()).toEqual([8, 10_000]);
  // From the end, as far from the head of the queue as can be.
  for (let index = 10_007; index >= 8; index -= 2) calls[index]?.controller.abort('gone');
  expect(counts()).toEqual([8, 5000]);
  await Promise.all(calls.map(({ outcome }) => outcome));
  const expected = [...Array(10_008).keys()].filter((index) => index < 8 || index % 2 === 0);
  expect([most, begun]).toEqual([8, expected]);
  expect(counts()).toEqual([0, 0]);
});

describe('parties', () => {
  /** Each is of the party of its first letter. */
  function twoLanes(waiting: number) {
    const made = busy(waiting, 2);
    const come = (name: string, lane = 0, signal?: AbortSignal) =>
      made.come(name, { party: name.charAt(0), lane, signal });
    return { ...made, come };
  }

  it('take turns, also when some of them leave', async () => {
    const { come, end, began } = twoLanes(10);
    const leaving = new AbortController();
    const calls = ['a1', 'a2', 'a3', 'a4'].map((name) => come(name));
    calls.push(come('b1', 0, leaving.signal), come('b2'), come('c1'), come('b3'));
    leaving.abort('gone');
    await end();
    await Promise.all(calls);
    expect(began()).toEqual(['a1', 'b2', 'c1', 'a2', 'b3', 'a3', 'a4']);
  });

  it('of which one has filled the queue make room for others until they have as many', async () => {
    const { queue, come, end, began } = twoLanes(4);
    const flood = ['a1', 'a2', 'a3', 'a4'].map((name) => come(name));
    expect(await come('a5')).toBeInstanceOf(QueueFullError);
    const others = [come('b1'), come('b2')];
    expect(await Promise.all(flood.slice(2))).toMatchObject([
      { message: '1 calls run and 4 wait, most of them for the same' },
      { message: '1 calls run and 4 wait, most of them for the same' },
    ]);
    expect(await come('b3')).toBeInstanceOf(QueueFullError);
    expect(queue.waiting).toBe(4);
    await end();
    await Promise.all([...flood, ...others]);
    expect(began()).toEqual(['a1', 'b1', 'a2', 'b2']);
  });

  it('have their turns within their lane, and a more urgent lane before it', async () => {
    const { come, end, began } = twoLanes(10);
    const calls = [come('a1', 1), come('a2', 1), come('b1', 1), come('a3'), come('a4')];
    await end();
    await Promise.all(calls);
    expect(began()).toEqual(['a3', 'a4', 'a1', 'b1', 'a2']);
  });

  it('make room in a less urgent lane by who has most there', async () => {
    const { come, end, began } = twoLanes(3);
    const calls = [come('a1', 1), come('a2', 1), come('b1', 1), come('c1')];
    expect(await calls[1]).toMatchObject({
      message: '1 calls run and 3 wait, and a more urgent one came',
    });
    await end();
    await Promise.all(calls);
    expect(began()).toEqual(['c1', 'a1', 'b1']);
  });
});
