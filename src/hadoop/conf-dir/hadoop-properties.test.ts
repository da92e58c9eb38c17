import { inspect } from 'node:util';

import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';

import { expandVariables } from './expand-variables.ts';
import { HadoopConfigurationError } from './hadoop-configuration-error.ts';
import { HadoopProperties } from './hadoop-properties.ts';

const definition = (name: string, value: string | undefined, final = false, file = 'core-site.xml') => ({
  name,
  value,
  final,
  file,
  line: 7,
});

describe('HadoopProperties', () => {
  it('never prints values', () => {
    const properties = HadoopProperties.of({ 'fs.s3a.secret.key': 's3cr3t' });
    expect(inspect(properties, { depth: 9, showHidden: true })).not.toContain('s3cr3t');
    expect(JSON.stringify(properties)).not.toContain('s3cr3t');
  });

  it('names the file and the line of a property, also under its deprecated name', () => {
    const properties = new HadoopProperties();
    properties.define(definition('fs.default.name', 'hdfs://nn'));
    expect(properties.fileOf('fs.defaultFS')).toBe('core-site.xml');
    expect(properties.problem('fs.default.name', 'is bad')).toEqual({
      file: 'core-site.xml',
      line: 7,
      property: 'fs.defaultFS',
      message: 'is bad',
    });
    expect(properties.problem('not.set', 'is missing')).toEqual({
      property: 'not.set',
      message: 'is missing',
    });
  });

  it('warns when a final property is set again to something else, not to the same', () => {
    const properties = new HadoopProperties();
    properties.define(definition('a', '1', true));
    properties.define(definition('a', '1'));
    expect(properties.warnings).toEqual([]);
    properties.define(definition('a', '2', true, 'hdfs-site.xml'));
    expect(properties.get('a')).toBe('1');
    expect(properties.warnings).toMatchObject([{ file: 'hdfs-site.xml', property: 'a' }]);
  });

  it('overrides even final properties', () => {
    const properties = new HadoopProperties();
    properties.define(definition('fs.defaultFS', '1', true));
    properties.override('fs.default.name', '2');
    expect(properties.get('fs.defaultFS')).toBe('2');
  });

  it.each([
    ['true', true],
    [' TRUE ', true],
    ['false', false],
    ['False', false],
    ['yes', undefined],
    ['', undefined],
    ['0', undefined],
  ])('reads %p as the boolean %p', (value, expected) => {
    const properties = HadoopProperties.of({ a: value });
    expect(properties.getBoolean('a', true)).toBe(expected ?? true);
    expect(properties.getBoolean('a', false)).toBe(expected ?? false);
  });

  it('reads lists', () => {
    expect(HadoopProperties.of({ a: ' b ,,c\n,' }).getList('a')).toEqual(['b', 'c']);
    expect(HadoopProperties.of({}).getList('a')).toEqual([]);
  });

  it('is not fooled by names of Object.prototype', () => {
    const properties = HadoopProperties.of({ a: '${constructor}', b: '${env.toString}', c: '${__proto__}' });
    expect(properties.get('a')).toBe('${constructor}');
    expect(properties.get('b')).toBe('${env.toString}');
    expect(properties.get('c')).toBe('${__proto__}');
    expect(properties.get('hasOwnProperty')).toBeUndefined();
  });

  it('reads nothing of our own environment', () => {
    expect(HadoopProperties.of({ a: '${env.PATH}' }).get('a')).toBe('${env.PATH}');
  });
});

describe('expandVariables', () => {
  const sources = (values: Record<string, string>) => ({
    environment: {},
    systemProperties: {},
    property: (name: string) => new Map(Object.entries(values)).get(name),
  });

  it('stops values that double at every step', () => {
    const values: Record<string, string> = { w15: 'x'.repeat(1000) };
    for (let step = 0; step < 15; step += 1) values[`w${step}`] = `\${w${step + 1}}\${w${step + 1}}`;
    expect(expandVariables('${w0}', sources(values))).toEqual({ outcome: 'too-deep' });
    expect(expandVariables('${a}', sources({ a: 'x'.repeat(70_000) }))).toEqual({ outcome: 'too-deep' });
  });

  it('ends for every set of properties, with a value or an outcome', () => {
    const part = fc.constantFrom(
      '${a}',
      '${b}',
      '${c}',
      '${',
      '}',
      '$',
      'x',
      '${env.A:-',
      '${env.A-',
      'a',
      ' ',
    );
    const value = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.record({ a: value, b: value, c: value }), (values) => {
        for (const expression of Object.values(values)) {
          expect(['expanded', 'too-deep']).toContain(expandVariables(expression, sources(values)).outcome);
        }
      }),
    );
  });
});

describe('HadoopConfigurationError', () => {
  it('tells all problems, one a line, and names the first', () => {
    const error = new HadoopConfigurationError([
      { file: '/etc/hadoop/core-site.xml', line: 3, property: 'a', message: 'is wrong' },
      { message: 'something else' },
    ]);
    expect(error.message).toBe('/etc/hadoop/core-site.xml:3: a: is wrong\nsomething else');
    expect(error).toMatchObject({
      name: 'HadoopConfigurationError',
      file: '/etc/hadoop/core-site.xml',
      property: 'a',
    });
  });
});
