import { describe, expect, it } from '@jest/globals';
import type { z } from 'zod';
import { ConfigurationPage, keysOf, leavesOf } from '../../test/docs/configuration-page.ts';
import { parseDecorateConfig } from './decorate-config.ts';
import { decorateConfigSchema } from './decorate-config-schema.ts';
import { parseRequesters } from './requesters.ts';
import { requestersSchema } from './requesters-schema.ts';
import { parseServeConfig } from './serve-config.ts';
import { serveConfigSchema } from './serve-config-schema.ts';

interface Documented {
  readonly page: string;
  readonly schema: z.ZodType;
  readonly isRight: (example: unknown) => boolean;
  /** Mappings whose keys the administrator chooses. */
  readonly maps: readonly string[];
  /** Keys that exclude each other: the example has one, and the table both. */
  readonly alternatives?: (key: string) => boolean;
}

const DOCUMENTED: readonly Documented[] = [
  {
    page: 'configuration.md',
    schema: serveConfigSchema,
    isRight: (example) => parseServeConfig(example).ok,
    maps: ['clusters[].services'],
  },
  {
    page: 'decorate-configuration.md',
    schema: decorateConfigSchema,
    isRight: (example) => parseDecorateConfig(example).ok,
    maps: [],
    alternatives: (key) => key.startsWith('tls.files.') || key.startsWith('signing.secret.'),
  },
  {
    page: 'requesters.md',
    schema: requestersSchema,
    isRight: (example) => parseRequesters(JSON.stringify(example)) !== undefined,
    maps: ['groups'],
  },
];

describe.each(DOCUMENTED)('docs/$page', ({ page: name, schema, isRight, maps, alternatives }) => {
  const page = new ConfigurationPage(name);
  const keys = keysOf(schema);

  it('has every key of the program with its default, and no other', () => {
    expect(keys.length).toBeGreaterThan(15);
    expect(Object.fromEntries(page.documentedKeys())).toEqual(Object.fromEntries(keys));
    expect(page.documentedKeys()).toHaveLength(keys.length);
  });

  it('has an example that is right and shows every key', () => {
    const [example] = page.examples();
    expect(isRight(example)).toBe(true);
    const shown = keys.map(([key]) => key).filter((key) => alternatives?.(key) !== true);
    expect(new Set(leavesOf(example, (path) => maps.includes(path)))).toEqual(new Set(shown));
  });
});
