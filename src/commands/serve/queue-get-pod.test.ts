import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { type GetPod, KubernetesQueueError, type PodView } from '../../authentication/kubernetes-access.ts';
import { queuedCallLimits } from '../../authentication/queued-call-limits.ts';
import { BoundedQueue } from '../../concurrency/bounded-queue.ts';
import { queueGetPod } from './queue-get-pod.ts';

const CALL_MS = 1_000;
const POD: PodView = {
  namespace: 'team-a',
  name: 'p',
  uid: 'u',
  serviceAccount: 'default',
  phase: 'Running',
  createdAt: Date.parse('2026-01-01T00:00:00Z'),
  deletionTimestamp: undefined,
  podIps: [],
  annotations: {},
};

/** One call at a time, one more waits, or so many. Each call is answered by the test. */
function start({ waiting = 1 } = {}) {
  const clock = new FakeClock();
  const queue = new BoundedQueue({ clock, inFlight: 1, waiting });
  const calls: { readonly name: string; readonly signal: AbortSignal | undefined; settle: () => void }[] = [];
  const asked: GetPod = async (_namespace, name, { signal } = {}) => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    calls.push({ name, signal, settle: () => resolve(undefined) });
    await promise;
    return POD;
  };
  const getPod = queueGetPod(asked, { queue, clock, callTimeoutMs: CALL_MS });
  /** What came of a call, by its error's name. */
  const outcomeOf = async (call: Promise<unknown>): Promise<unknown> =>
    await call.then(
      () => 'answered',
      (error: unknown) => error,
    );
  return { clock, queue, calls, getPod, outcomeOf };
}

describe('queueGetPod', () => {
  it('asks nobody when as many wait as may', async () => {
    const { calls, getPod, outcomeOf } = start();
    const first = getPod('team-a', 'a');
    const second = getPod('team-a', 'b');
    await settle();
    const error = await outcomeOf(getPod('team-a', 'c'));
    expect(error).toBeInstanceOf(KubernetesQueueError);
    expect(error).toMatchObject({ cause: { name: 'QueueFullError' } });
    calls[0]?.settle();
    await first;
    await settle();
    calls[1]?.settle();
    await second;
    expect(calls.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('takes those that wait by turns of their namespaces', async () => {
    const { calls, getPod, outcomeOf } = start({ waiting: 5 });
    const names = ['a1', 'a2', 'a3', 'b1'];
    const outcomes = names.map((name) => outcomeOf(getPod(`team-${name.charAt(0)}`, name)));
    for (const _ of names) {
      await settle();
      calls.at(-1)?.settle();
    }
    await Promise.all(outcomes);
    expect(calls.map(({ name }) => name)).toEqual(['a1', 'a2', 'b1', 'a3']);
  });

  it('waits for its turn no longer than half of what a call may take', async () => {
    const { clock, calls, getPod, outcomeOf } = start();
    const first = outcomeOf(getPod('team-a', 'a'));
    const ended: unknown[] = [];
    const second = (async () => {
      ended.push(await outcomeOf(getPod('team-a', 'b')));
    })();
    await clock.advance(CALL_MS / 2 - 1);
    expect(ended).toEqual([]);
    await clock.advance(1);
    await second;
    expect(ended[0]).toBeInstanceOf(KubernetesQueueError);
    expect(ended[0]).toMatchObject({ cause: { name: 'QueueTimeoutError' } });
    calls[0]?.settle();
    expect(await first).toBe('answered');
    expect(calls).toHaveLength(1);
  });

  it("leaves a call that waited as long as it may its own time-out's error", async () => {
    const { clock, queue, outcomeOf } = start();
    const timeout = new Error('what was asked, and what to do');
    const getPod = queueGetPod(
      async () => {
        await clock.sleep(CALL_MS);
        throw timeout;
      },
      { queue, clock, callTimeoutMs: CALL_MS },
    );
    const before = queue.run(() => clock.sleep(CALL_MS / 2 - 1));
    const outcome = outcomeOf(getPod('team-a', 'a'));
    await clock.advance(2 * CALL_MS);
    await before;
    expect(await outcome).toBe(timeout);
  });

  it('ends a call that hangs, and does not call that a queue', async () => {
    const { clock, calls, getPod, outcomeOf } = start();
    const outcome = outcomeOf(getPod('team-a', 'a'));
    await clock.advance(queuedCallLimits(CALL_MS).timeoutMs);
    const error = await outcome;
    expect(error).toMatchObject({ message: 'GET pod: no answer within 2500 ms' });
    expect(error).not.toBeInstanceOf(KubernetesQueueError);
    expect(calls[0]?.signal?.aborted).toBe(true);
  });

  it('rejects with the reason of its caller, whether the call runs or waits', async () => {
    const { calls, getPod, outcomeOf } = start();
    const gone = new Error('gone');
    const runs = new AbortController();
    const waits = new AbortController();
    const outcomes = [
      outcomeOf(getPod('team-a', 'a', { signal: runs.signal })),
      outcomeOf(getPod('team-a', 'b', { signal: waits.signal })),
    ];
    await settle();
    waits.abort(gone);
    runs.abort(gone);
    expect(await Promise.all(outcomes)).toEqual([gone, gone]);
    expect(calls).toMatchObject([{ name: 'a', signal: { aborted: true } }]);
  });

  it('rejects with what the call rejects with', async () => {
    const { clock, queue } = start();
    const failure = new Error('no');
    const getPod = queueGetPod(() => Promise.reject(failure), { queue, clock, callTimeoutMs: CALL_MS });
    await expect(getPod('team-a', 'a')).rejects.toBe(failure);
    expect(queue.running).toBe(0);
  });

  it('hands on question and answer, and leaves no timer behind', async () => {
    const { clock, queue, calls, getPod } = start();
    const answer = getPod('team-a', 'a');
    await settle();
    expect(calls[0]).toMatchObject({ name: 'a' });
    calls[0]?.settle();
    expect(await answer).toBe(POD);
    expect(clock.sleeping).toBe(0);
    expect(queue.running).toBe(0);
  });
});
