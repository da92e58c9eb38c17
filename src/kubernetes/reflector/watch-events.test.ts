import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { podObject } from '../../../test/fakes/fake-pod-source.ts';
import { POD } from '../pod-reflector/pod-reflector.ts';
import { LineSplitter, readWatchEvent } from './watch-events.ts';

const MIB = 1024 * 1024;
const linesOf = (splitter: LineSplitter, chunk: Buffer): string[] =>
  Array.from(splitter.push(chunk), (line) => line.toString());

describe('LineSplitter', () => {
  it('gives the same lines however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ''))),
        fc.array(fc.nat(40)),
        (lines, cuts) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          const splitter = new LineSplitter();
          const read: string[] = [];
          let at = 0;
          for (const length of [...cuts, bytes.length]) {
            read.push(...linesOf(splitter, bytes.subarray(at, at + length)));
            at += length;
          }
          expect(read).toEqual(lines);
        },
      ),
    );
  });

  it('gives nothing before a line ends', () => {
    const splitter = new LineSplitter();
    expect(linesOf(splitter, Buffer.from('ab'))).toEqual([]);
    expect(linesOf(splitter, Buffer.alloc(0))).toEqual([]);
    expect(linesOf(splitter, Buffer.from('c\nd'))).toEqual(['abc']);
    expect(linesOf(splitter, Buffer.from('\n'))).toEqual(['d']);
  });

  it('keeps no more than 8 MiB of a line without an end', () => {
    const splitter = new LineSplitter();
    for (let n = 0; n < 8; n += 1) linesOf(splitter, Buffer.alloc(MIB));
    expect(() => linesOf(splitter, Buffer.alloc(1))).toThrow(
      expect.objectContaining({ name: 'KubernetesApiError', code: 'bad-reply' }),
    );
  });

  it('does not count the lines before it', () => {
    const splitter = new LineSplitter();
    const line = Buffer.concat([Buffer.alloc(5 * MIB), Buffer.from('\n')]);
    for (let n = 0; n < 3; n += 1) expect(Array.from(splitter.push(line))).toHaveLength(1);
    for (let n = 0; n < 3; n += 1) {
      expect(Array.from(splitter.push(Buffer.alloc(5 * MIB)))).toHaveLength(0);
      expect(Array.from(splitter.push(Buffer.from('\n')))).toHaveLength(1);
    }
  });
});

describe('readWatchEvent', () => {
  const pod = podObject({ name: 'a', uid: 'a-1' });
  const object = { ...pod, metadata: { ...pod.metadata, resourceVersion: '7' } };
  const read = (type: string, what: object = object) =>
    readWatchEvent(Buffer.from(JSON.stringify({ type, object: what })), POD);

  it.each([
    ['ADDED', 'put'],
    ['MODIFIED', 'put'],
    ['DELETED', 'delete'],
  ])('reads %s', (wire, type) => {
    expect(read(wire)).toMatchObject({ type, object: { name: 'a', uid: 'a-1' }, resourceVersion: '7' });
  });

  it('reads a bookmark, which has no pod in it', () => {
    expect(read('BOOKMARK', { kind: 'Pod', metadata: { resourceVersion: '7' } })).toEqual({
      type: 'bookmark',
      resourceVersion: '7',
    });
  });

  it.each([
    [410, 'bad-reply'],
    [500, 'server-error'],
    [504, 'server-error'],
    [429, 'too-many-requests'],
    [undefined, 'bad-reply'],
    ['410', 'bad-reply'],
  ])('throws what an ERROR of code %j says', (code, expected) => {
    expect(() => read('ERROR', { kind: 'Status', code, message: 'quoted' })).toThrow(
      expect.objectContaining({ name: 'KubernetesApiError', code: expected }),
    );
    expect(() => read('ERROR', { kind: 'Status', code, message: 'quoted' })).not.toThrow(/quoted/);
  });

  it('does not read bytes that are no UTF-8 as characters', () => {
    const line = Buffer.from(JSON.stringify({ type: 'ADDED', object }));
    line[line.indexOf('"a-1"') + 1] = 0xff;
    expect(() => readWatchEvent(line, POD)).toThrow(expect.objectContaining({ code: 'bad-reply' }));
  });

  it('quotes nothing of what it can not read', () => {
    expect(() => readWatchEvent(Buffer.from('{"type":"SEKRIT"'), POD)).not.toThrow(/SEKRIT/);
    expect(() => read('SEKRIT')).not.toThrow(/SEKRIT/);
    expect(() => read('SEKRIT')).toThrow(/unknown type/);
  });
});
