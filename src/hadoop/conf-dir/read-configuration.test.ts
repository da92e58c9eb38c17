import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';

import { hadoopConfDirectory, recordedByHadoop } from '../../../test/fakes/hadoop-conf.ts';
import { HadoopConfigurationError } from './hadoop-configuration-error.ts';
import { readConfiguration, type ReadConfigurationOptions } from './read-configuration.ts';

async function failure(
  directory: string,
  options?: ReadConfigurationOptions,
): Promise<HadoopConfigurationError> {
  try {
    await readConfiguration(directory, options);
  } catch (error) {
    if (error instanceof HadoopConfigurationError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

describe('readConfiguration agrees with Hadoop 3.4.2', () => {
  const cases = [
    'plain',
    'core-only',
    'ha',
    'federation',
    'viewfs',
    'router',
    'virtual-ip',
    'includes',
    'expansion',
    'semantics',
  ].flatMap((name) =>
    Object.entries(recordedByHadoop(name).properties).map(([property, expected]) => ({
      name,
      property,
      expected,
    })),
  );

  it.each(cases)('$name: $property', async ({ name, property, expected }) => {
    const { properties } = await readConfiguration(hadoopConfDirectory(name), {
      environment: { SET: 'set', EMPTY: '' },
      systemProperties: { 'user.name': 'svc' },
    });
    if (expected === null) expect(properties.get(property)).toBeUndefined();
    else if (typeof expected === 'string') expect(properties.get(property)).toBe(expected);
    else expect(() => properties.get(property)).toThrow(HadoopConfigurationError);
  });
});

describe('readConfiguration refuses', () => {
  it.each([
    [
      'a directory with neither file',
      'nothing-here',
      'nothing-here',
      undefined,
      /core-site.xml nor hdfs-site.xml/,
    ],
    ['a directory that is not there', 'missing', 'missing', undefined, /not a directory/],
    [
      'a file in place of a directory',
      'web-page/core-site.xml',
      'core-site.xml',
      undefined,
      /not a directory/,
    ],
    ['entities that multiply', 'doctype-internal', 'core-site.xml', 3, /DOCTYPE/],
    ['entities that read files', 'doctype-external', 'core-site.xml', 1, /DOCTYPE/],
    ['includes that go in a circle', 'include-loop', 'a.xml', undefined, /includes itself/],
    [
      'an include over HTTP, even with a fallback',
      'include-http',
      'core-site.xml',
      2,
      /only files are included/,
    ],
    [
      'an include that is not there',
      'include-missing',
      'core-site.xml',
      3,
      /"not-here.xml": there is no such file/,
    ],
    ['an include inside a property', 'include-text', 'core-site.xml', 2, /inside a property/],
    ['an unescaped <', 'not-closed', 'core-site.xml', 4, /cannot be read as XML/],
    ['a web page', 'web-page', 'core-site.xml', 1, /root element must be <configuration>/],
  ])('%s', async (_, name, file, line, message) => {
    const error = await failure(hadoopConfDirectory(`hostile/${name}`));
    expect(error.problems).toHaveLength(1);
    expect(basename(error.file ?? '')).toBe(file);
    expect(error.problems[0]?.line).toBe(line);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('s3cr3t');
  });

  it('and names all that is wrong in all files', async () => {
    const error = await failure(hadoopConfDirectory('hostile/two-mistakes'));
    expect(error.problems.map(({ file, line }) => [basename(file ?? ''), line])).toEqual([
      ['core-site.xml', 3],
      ['hdfs-site.xml', 2],
      ['hdfs-site.xml', 3],
    ]);
  });
});

describe('readConfiguration', () => {
  it('says which files it read, each once', async () => {
    const directory = hadoopConfDirectory('includes');
    const { files } = await readConfiguration(directory);
    expect(files.map((file) => file.slice(directory.length + 1))).toEqual([
      'core-site.xml',
      'conf.d/site.xml',
      'both.xml',
    ]);
  });

  it('warns of what Hadoop ignores without a word', async () => {
    const { properties } = await readConfiguration(hadoopConfDirectory('semantics'));
    const warnings = properties.warnings.map(({ property, message }) => `${property ?? '-'} ${message}`);
    expect(warnings).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^- this property has no name/),
        expect.stringMatching(/^final\.blanks is not final/),
        expect.stringMatching(/^final\.upper-case is not final/),
        expect.stringMatching(/^dfs\.http\.policy has no effect here.*move it to hdfs-site.xml/),
        expect.stringMatching(/^final\.element is ignored/),
      ]),
    );
    expect((await readConfiguration(hadoopConfDirectory('plain'))).properties.warnings).toEqual([]);
  });

  it('lets overrides win over everything', async () => {
    const { properties } = await readConfiguration(hadoopConfDirectory('semantics'), {
      overrides: { 'fs.default.name': 'hdfs://other', 'final.element': '9' },
    });
    expect(properties.get('fs.defaultFS')).toBe('hdfs://other');
    expect(properties.get('final.element')).toBe('9');
  });
});

describe('readConfiguration of a written directory', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kerbridge-conf-dir-'));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  const write = async (name: string, content: string | Uint8Array): Promise<string> => {
    const file = join(directory, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    return file;
  };
  const document = (content: string): string =>
    `<configuration xmlns:xi="http://www.w3.org/2001/XInclude">${content}</configuration>`;
  const property = (name: string, value: string): string =>
    `<property><name>${name}</name><value>${value}</value></property>`;

  it('reads hdfs-site.xml alone', async () => {
    await write('hdfs-site.xml', document(property('a', '1')));
    const { properties } = await readConfiguration(directory);
    expect(properties.get('a')).toBe('1');
    expect(properties.get('fs.defaultFS')).toBe('file:///');
  });

  it('reads additional files last, if they exist', async () => {
    await write('core-site.xml', document(property('a', '1')));
    await write('yarn-site.xml', document(property('a', '2')));
    const read = async (additionalFiles: string[]): Promise<string | undefined> =>
      (await readConfiguration(directory, { additionalFiles })).properties.get('a');
    expect(await read([])).toBe('1');
    expect(await read(['missing-site.xml', 'yarn-site.xml'])).toBe('2');
  });

  it('reads through the symbolic links of a mounted ConfigMap', async () => {
    await write('..data/core-site.xml', document(property('a', '1')));
    await symlink('..data/core-site.xml', join(directory, 'core-site.xml'));
    expect((await readConfiguration(directory)).properties.get('a')).toBe('1');
  });

  it('finds a file beside the one that includes it, as XInclude wants, although Hadoop 3 does not', async () => {
    await write('core-site.xml', document('<xi:include href="conf.d/x.xml"/>'));
    await write('conf.d/x.xml', document('<xi:include href="y.xml"/>'));
    await write('conf.d/y.xml', document(property('a', '1')));
    expect((await readConfiguration(directory)).properties.get('a')).toBe('1');
  });

  it('sees through links that hide a circle', async () => {
    await write('core-site.xml', document('<xi:include href="other.xml"/>'));
    await symlink('core-site.xml', join(directory, 'other.xml'));
    expect((await failure(directory)).message).toMatch(/includes itself/);
  });

  it.each([
    ['an absolute path', (file: string) => file],
    ['a file: URL', (file: string) => `file://${file}`],
    ['a file: URL with blanks around', (file: string) => ` file://${file}\n`],
  ])('includes %s', async (_, href) => {
    const file = await write('elsewhere/x.xml', document(property('a', '1')));
    await write('core-site.xml', document(`<xi:include href="${href(file)}"/>`));
    expect((await readConfiguration(directory)).properties.get('a')).toBe('1');
  });

  it.each([
    ['https://config.example.com/x.xml', /only files are included/],
    ['HTTP://config.example.com/x.xml', /only files are included/],
    ['hdfs://ns1/x.xml', /only files are included/],
    ['jar:file:///x.jar!/x.xml', /only files are included/],
    ['data:text/xml,&lt;configuration/>', /only files are included/],
    ['file://other.example.com/x.xml', /no URL of a local file/],
    ['file:///x%2Fy.xml', /no URL of a local file/],
    ['.', /not a regular file/],
    ['/dev/zero', /not a regular file/],
  ])('refuses to include %s', async (href, message) => {
    await write('core-site.xml', document(`<xi:include href="${href}"><xi:fallback/></xi:include>`));
    expect((await failure(directory)).message).toMatch(message);
  });

  it.each([
    ['text', /parse="text" is refused/],
    ['json', /unknown parse attribute/],
  ])('refuses to include with parse="%s"', async (parse, message) => {
    await write('core-site.xml', document(`<xi:include href="x.xml" parse="${parse}"/>`));
    expect((await failure(directory)).message).toMatch(message);
  });

  it('does not wait for a pipe that nobody writes to', async () => {
    execFileSync('mkfifo', [join(directory, 'core-site.xml')]);
    expect((await failure(directory)).message).toMatch(/not a regular file/);
  });

  it('does not take a fallback for a file that is there but broken', async () => {
    await write('x.xml', '<configuration>');
    await write('core-site.xml', document('<xi:include href="x.xml"><xi:fallback/></xi:include>'));
    expect(basename((await failure(directory)).file ?? '')).toBe('x.xml');
  });

  it('follows includes to the depth limit and no further', async () => {
    for (const [name, next] of [
      ['core-site', 'b'],
      ['b', 'c'],
    ]) {
      await write(`${name}.xml`, document(`<xi:include href="${next}.xml"/>`));
    }
    await write('c.xml', document(property('a', '1')));
    const read = { limits: { maxIncludeDepth: 2 } };
    expect((await readConfiguration(directory, read)).properties.get('a')).toBe('1');
    const error = await failure(directory, { limits: { maxIncludeDepth: 1 } });
    expect(error.message).toMatch(/more than 1 files deep/);
  });

  it('stops includes that double at every step', async () => {
    await write('core-site.xml', document('<xi:include href="0.xml"/>'));
    for (let step = 0; step < 9; step += 1) {
      await write(`${step}.xml`, document(`<xi:include href="${step + 1}.xml"/>`.repeat(2)));
    }
    await write('9.xml', document(''));
    expect((await failure(directory)).message).toMatch(/more than 100 files/);
  });

  it('reads a file up to the size limit and no further', async () => {
    const content = document(property('a', '1'));
    await write('core-site.xml', content);
    const read = (maxFileBytes: number) => ({ limits: { maxFileBytes } });
    expect((await readConfiguration(directory, read(content.length))).properties.get('a')).toBe('1');
    expect((await failure(directory, read(content.length - 1))).message).toMatch(/is larger than/);
  });

  it('says who must be able to read a file', async () => {
    await chmod(await write('core-site.xml', document('')), 0o000);
    // The superuser reads everything.
    const superuser = process.geteuid?.() === 0;
    if (superuser) process.seteuid?.(65_534);
    try {
      expect((await failure(directory)).message).toMatch(/EACCES.*let the user/);
    } finally {
      if (superuser) process.seteuid?.(0);
    }
  });

  it('refuses links that go in a circle', async () => {
    await symlink('core-site.xml', join(directory, 'core-site.xml'));
    expect((await failure(directory)).message).toMatch(/cannot be read \(ELOOP\)/);
  });

  it('throws nothing but HadoopConfigurationError whatever the files hold', async () => {
    const item = fc.oneof(
      fc.tuple(fc.string(), fc.string()).map(([name, value]) => property(name, value)),
      fc.constantFrom(
        property('x', '${y}'),
        property('y', '${x}'),
        '<xi:include href="hdfs-site.xml"/>',
        '<xi:include href="core-site.xml"/>',
        '<xi:include href="none"><xi:fallback><xi:include href="hdfs-site.xml"/></xi:fallback></xi:include>',
        '<property/>',
        '<property name="a" value="b" final="true"/>',
      ),
      fc.string({ unit: 'binary' }),
    );
    const content = fc.array(item, { maxLength: 5 }).map((items) => document(items.join('')));
    await fc.assert(
      fc.asyncProperty(content, content, async (core, hdfs) => {
        await write('core-site.xml', core);
        await write('hdfs-site.xml', hdfs);
        try {
          const { properties } = await readConfiguration(directory);
          for (const name of properties.names()) properties.get(name);
        } catch (error) {
          expect(error).toBeInstanceOf(HadoopConfigurationError);
        }
      }),
      { numRuns: 50 },
    );
  });
});
