import { describe, expect, it } from '@jest/globals';
import { reasonOf } from '../../test/fakes/decorator-edits.ts';
import { DecoratorWorld, pod, workload } from '../../test/fakes/decorator-world.ts';

describe('a namespace that does not take part', () => {
  const asked: string[] = [];
  const world = new DecoratorWorld({
    isOptedIn: (namespace) => {
      asked.push(namespace);
      return Promise.resolve(false);
    },
  });

  it.each([pod('p'), workload('Deployment', 'd')])(
    'has nothing signed, whoever asks [namespace-opted-in]',
    async (object) => {
      expect(reasonOf(await world.create(object, { by: 'alice' }))).toBe('namespace-not-opted-in');
      expect(asked.at(-1)).toBe('team-a');
    },
  );

  it('has its pods guarded all the same', async () => {
    await world.create(pod('q'), { by: 'alice', bypass: true });
    const outcome = await world.update('Pod', 'q', (object) => object, { by: 'bob' });
    expect(reasonOf(outcome)).toBe('allowed');
  });

  it('is not taken for one when it can’t be asked about', async () => {
    const away = new DecoratorWorld({ isOptedIn: () => Promise.reject(new Error('away')) });
    expect(reasonOf(await away.create(pod('p'), { by: 'alice' }))).toBe('kubernetes-api');
    expect(reasonOf(await away.create(workload('Deployment', 'd'), { by: 'alice' }))).toBe('kubernetes-api');
  });
});
