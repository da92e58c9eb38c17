import { describe, expect, it } from '@jest/globals';
import { reasonOf, withImage, withMetadata } from '../../test/fakes/decorator-edits.ts';
import {
  ANNOTATION,
  CONTROLLER,
  DecoratorWorld,
  madeBy,
  pod,
  templateAnnotations,
  workload,
} from '../../test/fakes/decorator-world.ts';

describe('a namespace that does not take part', () => {
  const asked: string[] = [];
  const world = new DecoratorWorld({
    optedInNamespace: (namespace) => {
      asked.push(namespace);
      return Promise.resolve(undefined);
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
    const away = new DecoratorWorld({ optedInNamespace: () => Promise.reject(new Error('away')) });
    expect(reasonOf(await away.create(pod('p'), { by: 'alice' }))).toBe('kubernetes-api');
    expect(reasonOf(await away.create(workload('Deployment', 'd'), { by: 'alice' }))).toBe('kubernetes-api');
  });
});

describe('a namespace of the name of one that is gone', () => {
  /** What alice had in the first one, brought to the second by bob before it took part. */
  async function second() {
    const world = new DecoratorWorld();
    const { stored = {} } = await world.create(workload('Deployment', 'web'), { by: 'alice' });
    world.namespaceUid = 'uid-of-the-second';
    await world.create(stored, { by: 'bob', bypass: true });
    return { world, stored };
  }

  it('takes no template stamp of the first for its own [template-stamp-namespace]', async () => {
    const { world, stored } = await second();
    const made = madeBy(stored, { kind: 'Pod', name: 'web-1' });
    expect(reasonOf(await world.create(made, { by: CONTROLLER }))).toBe('template-stamp-of-other-namespace');
    const touched = await world.update('Deployment', 'web', withMetadata({ labels: { a: 'b' } }), {
      by: 'bob',
    });
    expect(
      reasonOf(
        await world.create(madeBy(touched.stored ?? {}, { kind: 'Pod', name: 'p' }), { by: CONTROLLER }),
      ),
    ).toBe('template-stamp-of-other-namespace');
  });

  it('lets whoever changes the template have it', async () => {
    const { world } = await second();
    const { stored } = await world.update('Deployment', 'web', withImage('bobs:1'), { by: 'bob' });
    expect(templateAnnotations(stored)[ANNOTATION]).toBe('bob');
  });
});
