import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { readYaml } from '../../src/config/read-yaml.ts';

/** A page of docs/ that has a table of keys under the heading "Every key", and an example in YAML. */
export class ConfigurationPage {
  readonly #text: string;

  constructor(name: string) {
    this.#text = readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
  }

  /** Key and default of every row of the table. */
  documentedKeys(): [string, string][] {
    const section = this.#text.split('## Every key')[1]?.split('\n## ')[0] ?? '';
    return [...section.matchAll(/^\| `([^`]+)` +\|[^|]*\| ([^|]*?) +\|/gm)].map(
      ([, key = '', value = '']) => [key, value],
    );
  }

  /** What the blocks of YAML hold, in their order. */
  examples(): unknown[] {
    return [...this.#text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => {
      const yaml = readYaml(text);
      return yaml.ok ? yaml.value : yaml.problems;
    });
  }
}

/** Every key of the schema with its default as the page writes it. */
export function keysOf(schema: z.ZodType): [string, string][] {
  return keysBelow(z.toJSONSchema(schema, { io: 'input' }) as Schema, '');
}

/** The path of every value of an example; `isLeaf` for mappings whose keys are not ours. */
export function leavesOf(
  value: unknown,
  isLeaf: (path: string) => boolean = () => false,
  path = '',
): string[] {
  if (Array.isArray(value) && value.some((each) => typeof each === 'object')) {
    return [path, ...value.flatMap((each) => leavesOf(each, isLeaf, `${path}[]`))];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isLeaf(path)) return [path];
  return Object.entries(value).flatMap(([name, each]) =>
    leavesOf(each, isLeaf, path === '' ? name : `${path}.${name}`),
  );
}

interface Schema {
  readonly type?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
}

const UNSET = '–';

function keysBelow(schema: Schema, prefix: string): [string, string][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]): [string, string][] => {
    const path = `${prefix}${name}`;
    const ofList = property.items?.properties === undefined ? [] : keysBelow(property.items, `${path}[].`);
    if (property.properties !== undefined) return keysBelow(property, `${path}.`);
    const required = schema.required?.includes(name) === true;
    const unset = required ? 'required' : UNSET;
    const written =
      typeof property.default === 'string' ? property.default : JSON.stringify(property.default);
    return [[path, property.default === undefined ? unset : `\`${written}\``], ...ofList];
  });
}
