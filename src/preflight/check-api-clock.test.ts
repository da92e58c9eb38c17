import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { KubernetesApiError } from '../kubernetes/kubernetes-api-error.ts';
import { checkApiClock } from './check-api-clock.ts';

const signal = new AbortController().signal;

describe('checkApiClock', () => {
  it('reads the clock off the second reply, which waits for no handshake', async () => {
    const clock = new FakeClock();
    let calls = 0;
    const api = {
      server: 'https://api:6443',
      whoAmI: async () => {
        calls += 1;
        if (calls === 1) await clock.advance(90_000);
        return 'kerbridge';
      },
      serverTime: () => clock.now() + 200_000,
    };
    expect(await checkApiClock(api, clock, signal)).toMatchObject([
      { id: 'clock-api-server', outcome: 'warning', detail: '200 s ahead of ours' },
    ]);
  });

  it('says why there is no reading', async () => {
    const api = {
      server: 'https://api:6443',
      whoAmI: () =>
        Promise.reject(new KubernetesApiError('unreachable', 'connection refused', { fix: 'look' })),
      serverTime: () => 0,
    };
    expect(await checkApiClock(api, new FakeClock(), signal)).toMatchObject([
      { outcome: 'failed', detail: 'connection refused', fix: 'look' },
    ]);
  });
});
