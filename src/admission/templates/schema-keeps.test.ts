import { describe, expect, it } from '@jest/globals';
import { schemaKeeps, type StoredSchema } from './schema-keeps.ts';

const KEY = 'kerbridge.dev/template-stamp';
const open: StoredSchema = { keepsUnknown: true };
const closed: StoredSchema = {};
const anyTexts: StoredSchema = { additionalProperties: {} };
const map = (properties: Record<string, StoredSchema>): StoredSchema => ({
  properties: new Map(Object.entries(properties)),
});
const jobs = (template: StoredSchema): StoredSchema =>
  map({ spec: map({ replicas: { additionalProperties: map({ template }) } }) });
const path = ['spec', 'replicas', 'Worker', 'template', 'metadata', 'annotations', KEY];

describe('schemaKeeps', () => {
  it.each<readonly [string, StoredSchema]>([
    ['annotations by name', map({ metadata: map({ annotations: anyTexts }) })],
    ['annotations of any kind', map({ metadata: map({ annotations: { additionalProperties: true } }) })],
    ['whatever is in the metadata', map({ metadata: open })],
    ['whatever is in the annotations', map({ metadata: map({ annotations: open }) })],
    ['whatever is in the template', open],
    ['whatever has no schema, beside what has one', { ...map({ spec: closed }), keepsUnknown: true }],
    ['an object with metadata of its own', { isObject: true }],
  ])('is true for %s', (_, template) => {
    expect(schemaKeeps(jobs(template), path)).toBe(true);
  });

  it.each<readonly [string, StoredSchema]>([
    ['metadata without a word about what is in it', map({ metadata: closed })],
    ['a template without metadata', map({ spec: open })],
    ['other metadata only', map({ metadata: map({ labels: anyTexts }) })],
    ['some annotations only', map({ metadata: map({ annotations: map({ owner: closed }) }) })],
    ['what is kept elsewhere only', { ...map({ metadata: closed }), keepsUnknown: true }],
  ])('is false for %s', (_, template) => {
    expect(schemaKeeps(jobs(template), path)).toBe(false);
  });

  it('looks into lists', () => {
    const list = (template: StoredSchema): StoredSchema =>
      map({ spec: map({ workers: { items: map({ template }) } }) });
    const inList = ['spec', 'workers', '0', 'template', 'metadata', 'annotations', KEY];
    expect(schemaKeeps(list(open), inList)).toBe(true);
    expect(schemaKeeps(list(map({ metadata: closed })), inList)).toBe(false);
  });

  it('knows that every object keeps its own metadata, and no other', () => {
    expect(schemaKeeps(closed, ['metadata', 'annotations', KEY])).toBe(true);
    expect(schemaKeeps(map({ spec: closed }), ['spec', 'metadata', 'annotations', KEY])).toBe(false);
  });
});
