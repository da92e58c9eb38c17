import { describe, expect } from '@jest/globals';
import { FakeClock, settle } from './fake-clock.ts';
import { FakeTokenBacking, FakeTokenStore } from './fake-token-store.ts';
import { tokenStoreContract } from './token-store-contract.ts';

describe('FakeTokenStore', () => {
  tokenStoreContract(() => {
    const clock = new FakeClock();
    const backing = new FakeTokenBacking();
    return Promise.resolve({
      open: () => new FakeTokenStore({ clock, backing }),
      until: async (what) => {
        await settle();
        expect(what()).toBe(true);
      },
      now: () => clock.now(),
      dispose: () => Promise.resolve(),
    });
  });
});
