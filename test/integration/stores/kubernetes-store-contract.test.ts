import { afterAll, beforeAll, describe } from '@jest/globals';
import { systemClock } from '../../../src/time/clock.ts';
import { tokenStoreContract } from '../../fakes/token-store-contract.ts';
import { StoreWorld, until } from './store-world.ts';

describe('KubernetesTokenStore on kube-apiserver', () => {
  let world: StoreWorld;

  beforeAll(async () => {
    world = await StoreWorld.create();
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  tokenStoreContract(() =>
    Promise.resolve({
      open: () => world.open(),
      until,
      now: () => systemClock.now(),
      dispose: () => Promise.resolve(),
    }),
  );
});
