import { describe, expect, it } from '@jest/globals';
import {
  ANNOTATION,
  DecoratorWorld,
  templateAnnotations,
  workload,
} from '../../test/fakes/decorator-world.ts';
import type { ReadStoredSchemas, ResourceName } from './look-ups.ts';
import type { StoredSchema } from './templates/schema-keeps.ts';

const KEEPING: StoredSchema = { keepsUnknown: true };
const DROPPING: StoredSchema = {};

function setUp(readStoredSchemas: ReadStoredSchemas) {
  const dropped: ResourceName[] = [];
  const world = new DecoratorWorld({
    readStoredSchemas,
    onDroppedStamp: (resource) => dropped.push(resource),
  });
  const create = async () => {
    const { decision, stored } = await world.create(workload('Job', 'one'), { by: 'alice' });
    return { warnings: decision.outcome === 'allowed' ? decision.warnings : decision, stored };
  };
  return { world, dropped, create };
}

describe('a stamp that the API server will drop', () => {
  it.each([
    ['of the version', [DROPPING]],
    ['of the version in etcd', [KEEPING, DROPPING]],
  ])('by the schema %s: who makes the object is warned, and operators are told', async (_, schemas) => {
    const { dropped, create } = setUp(() => Promise.resolve(schemas));
    const { warnings, stored } = await create();
    expect(warnings).toEqual([
      expect.stringContaining('will get no Hadoop credentials'),
      expect.stringContaining('CustomResourceDefinition'),
    ]);
    for (const warning of warnings as string[]) expect(warning.length).toBeLessThanOrEqual(120);
    expect(templateAnnotations(stored)[ANNOTATION]).toBe('alice');
    expect(dropped).toContainEqual(expect.objectContaining({ group: 'batch', resource: 'jobs' }));
  });

  it.each<readonly [string, ReadStoredSchemas]>([
    ['is kept', () => Promise.resolve([KEEPING, KEEPING])],
    ['has no schema', () => Promise.resolve([])],
    ['could not be read', () => Promise.reject(new Error('403'))],
  ])('is nothing to be warned of when it %s', async (_, read) => {
    const { dropped, create } = setUp(read);
    expect((await create()).warnings).toBeUndefined();
    expect(dropped).toEqual([]);
  });

  it('is not looked for longer than a second', async () => {
    let aborted = false;
    const { world, create } = setUp(
      (_, { signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', () => (aborted = true));
        }),
    );
    const created = create();
    // It is asked twice, as after another webhook.
    for (let time = 0; time < 2; time += 1) await world.clock.advance(1_000);
    expect([(await created).warnings, aborted]).toEqual([undefined, true]);
  });
});
