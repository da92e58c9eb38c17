import { describe, expect, it } from '@jest/globals';
import { assert, nat, property } from 'fast-check';
import { inspect } from 'node:util';
import { decodeKeytab, KeytabError, MAX_KEYTAB_BYTES } from './keytab.ts';

const KEY = Buffer.from('SECRETSECRETSECRETSECRETSECRETSE');

const counted = (bytes: string | Buffer): Buffer => {
  const content = Buffer.from(bytes);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(content.length);
  return Buffer.concat([length, content]);
};
const uint16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
};

interface EntryParts {
  readonly realm?: string;
  readonly components?: readonly string[];
  readonly componentCount?: number;
  readonly writtenAtSeconds?: number;
  readonly kvno8?: number;
  readonly tail?: Buffer;
}

const entry = (parts: EntryParts = {}): Buffer => {
  const components = parts.components ?? ['kerbridge'];
  return Buffer.concat([
    uint16(parts.componentCount ?? components.length),
    counted(parts.realm ?? 'EXAMPLE.COM'),
    ...components.map(counted),
    int32(1),
    int32(parts.writtenAtSeconds ?? 1_700_000_000),
    Buffer.from([parts.kvno8 ?? 3]),
    uint16(18),
    counted(KEY),
    parts.tail ?? Buffer.alloc(0),
  ]);
};
const record = (content: Buffer): Buffer => Buffer.concat([int32(content.length), content]);
const keytab = (...records: Buffer[]): Buffer => Buffer.concat([Buffer.from([5, 2]), ...records]);

describe('decodeKeytab', () => {
  it('reads entries in the order of the file, without the key', () => {
    const decoded = decodeKeytab(
      keytab(
        record(entry()),
        record(entry({ components: ['kerbridge', 'host.example.com'], kvno8: 7 })),
        record(entry({ kvno8: 4 })),
      ),
    );
    expect(decoded.entries).toEqual([
      { principal: 'kerbridge@EXAMPLE.COM', kvno: 3, enctype: 18, writtenAt: 1_700_000_000_000 },
      {
        principal: 'kerbridge/host.example.com@EXAMPLE.COM',
        kvno: 7,
        enctype: 18,
        writtenAt: 1_700_000_000_000,
      },
      { principal: 'kerbridge@EXAMPLE.COM', kvno: 4, enctype: 18, writtenAt: 1_700_000_000_000 },
    ]);
    expect(decoded.principals).toEqual(['kerbridge@EXAMPLE.COM', 'kerbridge/host.example.com@EXAMPLE.COM']);
    expect(inspect(decoded, { depth: null, showHidden: true })).not.toContain('SECRET');
  });

  it.each([
    ['a 32-bit version', Buffer.concat([int32(300)]), 300],
    ['a 32-bit version and more behind it', Buffer.concat([int32(300), Buffer.alloc(9)]), 300],
    ['padding of zeros', Buffer.alloc(4), 3],
    ['padding too short for a version', Buffer.from([1, 2, 3]), 3],
  ])('takes the key version from %s', (_, tail, kvno) => {
    expect(decodeKeytab(keytab(record(entry({ tail })))).entries[0]?.kvno).toBe(kvno);
  });

  it('skips holes and stops at a zero length, as MIT does', () => {
    const hole = Buffer.concat([int32(-6), Buffer.from('SECRET')]);
    const decoded = decodeKeytab(
      keytab(hole, record(entry()), hole, int32(0), Buffer.from('whatever comes after')),
    );
    expect(decoded.principals).toEqual(['kerbridge@EXAMPLE.COM']);
  });

  it('reads times after 2038', () => {
    const decoded = decodeKeytab(keytab(record(entry({ writtenAtSeconds: 0xf0000000 }))));
    expect(decoded.entries[0]?.writtenAt).toBe(0xf0000000 * 1000);
  });

  it('escapes what a name could be mistaken for', () => {
    const decoded = decodeKeytab(keytab(record(entry({ components: ['a/b@EVIL'] }))));
    expect(decoded.principals).toEqual(['a\\/b\\@EVIL@EXAMPLE.COM']);
  });

  it.each([
    ['no bytes', Buffer.alloc(0), 'empty'],
    ['only the magic', keytab(), 'empty'],
    ['only holes', keytab(Buffer.concat([int32(-3), Buffer.alloc(3)])), 'empty'],
    ['one byte', Buffer.from([5]), 'bad-magic'],
    ['text', Buffer.from('-----BEGIN'), 'bad-magic'],
    ['a credential cache', Buffer.from([5, 4, 0, 12]), 'bad-magic'],
    ['the old format', Buffer.from([5, 1, 0, 0, 0, 0]), 'old-format'],
    ['half a length', keytab(Buffer.from([0, 0])), 'damaged'],
    ['an entry longer than the file', keytab(int32(4000), entry()), 'damaged'],
    ['a hole longer than the file', keytab(record(entry()), int32(-4000)), 'damaged'],
    ['the longest hole', keytab(record(entry()), int32(-0x80000000)), 'damaged'],
    ['an entry cut in the middle', keytab(record(entry().subarray(0, 40))), 'damaged'],
    ['no components', keytab(record(entry({ components: [] }))), 'damaged'],
    ['more components than there are', keytab(record(entry({ componentCount: 9 }))), 'damaged'],
    ['absurdly many components', keytab(record(entry({ componentCount: 0xffff }))), 'damaged'],
    ['more than a mebibyte', Buffer.alloc(MAX_KEYTAB_BYTES + 1, 5), 'too-large'],
  ])('refuses %s', (_, bytes, problem) => {
    expect(() => decodeKeytab(bytes)).toThrow(expect.objectContaining({ name: 'KeytabError', problem }));
  });

  it('never throws anything else, and never a key', () => {
    const whole = keytab(record(entry()), record(entry({ components: ['a', 'b'] })));
    assert(
      property(nat(whole.length - 1), nat(255), nat(whole.length), (position, value, length) => {
        const bytes = Buffer.from(whole.subarray(0, length));
        if (position >= 2 && position < length) {
          bytes[position] = value;
        }
        try {
          decodeKeytab(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(KeytabError);
          expect(String(error)).not.toContain('SECRET');
        }
      }),
      { numRuns: 2000 },
    );
  });
});
