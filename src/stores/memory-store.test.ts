import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { recordOf } from '../../test/fakes/recorded-token.ts';
import { tokenStoreContract } from '../../test/fakes/token-store-contract.ts';
import { MemoryBacking, MemoryTokenStore } from './memory-store.ts';

describe('MemoryTokenStore', () => {
  tokenStoreContract(() => {
    const clock = new FakeClock();
    const backing = new MemoryBacking();
    return Promise.resolve({
      open: () => new MemoryTokenStore({ clock, backing }),
      until: async (what) => {
        await settle();
        expect(what()).toBe(true);
      },
      now: () => clock.now(),
      dispose: () => Promise.resolve(),
    });
  });

  it('shares nothing with another unless it is told to', async () => {
    const clock = new FakeClock();
    const id = { namespace: 'team-a', owner: 'alice' };
    await new MemoryTokenStore({ clock }).write(recordOf(id), undefined);
    expect(await new MemoryTokenStore({ clock }).read(id)).toBeUndefined();
  });

  it('does not claim to have told what it is about to tell', async () => {
    const clock = new FakeClock();
    const store = new MemoryTokenStore({ clock });
    const known: (number | undefined)[] = [];
    await store.start(() => known.push(store.knownUntil()));
    const writing = store.write(recordOf({ namespace: 'team-a', owner: 'alice' }), undefined);
    await Promise.resolve();
    expect(store.knownUntil()).toBe(clock.now() - 1);
    await writing;
    await settle();
    expect(store.knownUntil()).toBe(clock.now());
    expect(known).toHaveLength(1);
  });
});
