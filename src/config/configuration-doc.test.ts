import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { readYaml } from './read-yaml.ts';
import { parseServeConfig } from './serve-config.ts';
import { serveConfigSchema } from './serve-config-schema.ts';

const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');

interface Schema {
  readonly type?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
}

const UNSET = '–';

/** Every key of the schema with its default as the page writes it. */
function keysOf(schema: Schema, prefix: string): [string, string][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]): [string, string][] => {
    const path = `${prefix}${name}`;
    const ofList = property.items?.properties === undefined ? [] : keysOf(property.items, `${path}[].`);
    if (property.properties !== undefined) return keysOf(property, `${path}.`);
    const required = schema.required?.includes(name) === true;
    const unset = required ? 'required' : UNSET;
    const written =
      typeof property.default === 'string' ? property.default : JSON.stringify(property.default);
    return [[path, property.default === undefined ? unset : `\`${written}\``], ...ofList];
  });
}

/** Key and default of every row of the table "Every key". */
function documentedKeys(): [string, string][] {
  const section = page.split('## Every key')[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| `([^`]+)` +\|[^|]*\| ([^|]*?) +\|/gm)].map(([, key = '', value = '']) => [
    key,
    value,
  ]);
}

function leavesOf(value: unknown, path: string): string[] {
  if (Array.isArray(value) && value.some((each) => typeof each === 'object')) {
    return [path, ...value.flatMap((each) => leavesOf(each, `${path}[]`))];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || path === 'clusters[].services')
    return [path];
  return Object.entries(value).flatMap(([name, each]) =>
    leavesOf(each, path === '' ? name : `${path}.${name}`),
  );
}

const schema = z.toJSONSchema(serveConfigSchema, { io: 'input' }) as Schema;

describe('docs/configuration.md', () => {
  it('has every key of the program with its default, and no other', () => {
    const keys = keysOf(schema, '');
    expect(keys.length).toBeGreaterThan(20);
    expect(Object.fromEntries(documentedKeys())).toEqual(Object.fromEntries(keys));
    expect(documentedKeys()).toHaveLength(keys.length);
  });

  it('has an example that is right and shows every key', () => {
    const yaml = readYaml(/```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '');
    const example = yaml.ok ? yaml.value : yaml.problems;
    expect(parseServeConfig(example)).toMatchObject({ ok: true });
    const keys = keysOf(schema, '').map(([key]) => key);
    expect(new Set(leavesOf(example, ''))).toEqual(new Set(keys));
  });
});
