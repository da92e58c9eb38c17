import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { z } from 'zod';
import { applyJsonPatch } from '../../../test/fakes/apply-json-patch.ts';
import { Draft } from '../patch/draft.ts';
import { formatPointer, type JsonPath, parsePointer } from '../patch/json-pointer.ts';
import { childOf, isList, isMap } from '../patch/json-value.ts';
import { digestOf } from './digest-of.ts';
import { findTemplates, type TemplatePlace } from './find-templates.ts';
import { buildTemplateTable } from './template-table.ts';

/*
 * test/fixtures/templates/<case>: the object as the webhook sees it, the object with stamps on its templates, and
 * places.yaml, which says where they are and what each stamp covers.
 */

const FIXTURES = new URL('../../../test/fixtures/templates/', import.meta.url);
const STAMPS = { 'iddecorator.username': 'alice', 'kerbridge.dev/template-stamp': 'the-stamp' };

const placesSchema = z.strictObject({
  resource: z.string(),
  places: z.array(
    z.strictObject({
      pointer: z.string(),
      annotations: z.string(),
      covers: z.string(),
      except: z.array(z.string()).default([]),
    }),
  ),
});

const CASES = readdirSync(FIXTURES);

const read = (name: string, file: string): unknown =>
  parse(readFileSync(new URL(`${name}/${file}.yaml`, FIXTURES), 'utf8'));

function find(name: string, object: unknown): readonly TemplatePlace[] {
  const built = buildTemplateTable({ resources: [] });
  if (!built.ok) throw new Error(JSON.stringify(built.problems));
  const { resource } = placesSchema.parse(read(name, 'places'));
  const found = findTemplates({ resource, object, table: built.table });
  if (!found.ok) throw new Error(found.problem);
  return found.places;
}

function digests(name: string, object: unknown): string[] {
  return find(name, object).map(({ content }) => {
    const result = digestOf(content);
    if (!result.ok) throw new Error(result.problem);
    return result.digest;
  });
}

function stamp(object: unknown, places: readonly TemplatePlace[]): unknown {
  const draft = new Draft(object);
  for (const { annotations } of places) {
    for (const [key, value] of Object.entries(STAMPS)) draft.set([...annotations, key], value);
  }
  const result = draft.finish();
  if (!result.ok) throw new Error(result.problem);
  return applyJsonPatch(object, result.operations);
}

function leavesOf(value: unknown, path: JsonPath = []): JsonPath[] {
  if (!isMap(value) && !isList(value)) return [path];
  return Object.keys(value).flatMap((key) => leavesOf(childOf(value, key), [...path, key]));
}

const isWithin = (path: JsonPath, pointer: string): boolean =>
  `${formatPointer(path)}/`.startsWith(`${pointer}/`);

describe('templates of the known resources', () => {
  it('has a case for each of them', () => {
    const built = buildTemplateTable({ resources: [] });
    const resources = CASES.map((name) => placesSchema.parse(read(name, 'places')).resource);
    expect(built.ok && [...built.table.resources.keys()].sort()).toEqual([...new Set(resources)].sort());
  });

  it.each(CASES)('finds those of %s', (name) => {
    expect(
      find(name, read(name, 'object')).map(({ pointer, annotations }) => ({
        pointer,
        annotations: formatPointer(annotations),
      })),
    ).toEqual(
      placesSchema
        .parse(read(name, 'places'))
        .places.map(({ pointer, annotations }) => ({ pointer, annotations })),
    );
  });

  it.each(CASES)('has stamps put on those of %s, which change no digest', (name) => {
    const object = read(name, 'object');
    const stamped = stamp(object, find(name, object));
    expect(stamped).toEqual(read(name, 'expected'));
    expect(digests(name, stamped)).toEqual(digests(name, object));
    for (const { annotationsNow } of find(name, stamped)) {
      expect(Object.fromEntries(annotationsNow)).toMatchObject(STAMPS);
    }
  });

  it.each(CASES)(
    'covers of %s what decides what its pods run, and nothing that is touched besides',
    (name) => {
      const object = read(name, 'expected');
      const before = digests(name, object);
      const { places } = placesSchema.parse(read(name, 'places'));
      const leaves = leavesOf(object);
      expect(leaves.length).toBeGreaterThan(5);
      for (const leaf of leaves) {
        const draft = new Draft(object);
        draft.set(leaf, 'changed by bob');
        const after = digests(name, draft.get([]));
        const changed = places
          .filter((_, index) => after[index] !== before[index])
          .map(({ pointer }) => pointer);
        const covering = places
          .filter(
            ({ covers, except }) => isWithin(leaf, covers) && !except.some((each) => isWithin(leaf, each)),
          )
          .map(({ pointer }) => pointer);
        expect({ leaf: formatPointer(leaf), changed }).toEqual({
          leaf: formatPointer(leaf),
          changed: covering,
        });
      }
    },
  );

  it('gives what a controller copies the same digest', () => {
    const template = parsePointer('/spec/template')?.reduce<unknown>(
      childOf,
      read('scheduledsparkapplication', 'expected'),
    );
    expect(digests('sparkapplication', { spec: template })).toEqual(
      digests('scheduledsparkapplication', read('scheduledsparkapplication', 'expected')),
    );
    const workflowSpec = ['spec', 'workflowSpec'].reduce(childOf, read('cronworkflow', 'expected'));
    expect(digests('workflow', { spec: workflowSpec })).toEqual(
      digests('cronworkflow', read('cronworkflow', 'object')),
    );
    const jobTemplate = ['spec', 'jobTemplate', 'spec'].reduce(childOf, read('cronjob', 'expected'));
    expect(digests('job', { spec: jobTemplate })).toEqual(digests('cronjob', read('cronjob', 'object')));
  });
});
