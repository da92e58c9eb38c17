import { formatPrincipal } from './principal.ts';

/** What a keytab says about one of its keys: everything but the key. */
export interface KeytabEntry {
  /** `name[/instance]@REALM`, escaped as krb5_unparse_name(3) does. */
  readonly principal: string;
  /** Key version number; the 32-bit one where the entry has it. */
  readonly kvno: number;
  /** Encryption type number (IANA "Kerberos Encryption Type Numbers"): 17 and 18 are AES. */
  readonly enctype: number;
  /** When the key was written, ms since the epoch. */
  readonly writtenAt: number;
}

export interface Keytab {
  /** In the order of the file, holes left out, at least one. */
  readonly entries: readonly KeytabEntry[];
  /** Each principal once, in the order of the file. */
  readonly principals: readonly string[];
}

export type KeytabProblem =
  'missing' | 'unreadable' | 'not-a-file' | 'too-large' | 'bad-magic' | 'old-format' | 'damaged' | 'empty';

/** The file is no usable keytab. The message says what is wrong with it, never anything of its content. */
export class KeytabError extends Error {
  override readonly name = 'KeytabError';
  readonly problem: KeytabProblem;

  constructor(problem: KeytabProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}

/** Far above any real keytab (about 100 bytes a key). */
export const MAX_KEYTAB_BYTES = 1024 * 1024;

/** Reads big-endian values in turn; going past the end is `damaged`. */
class EntryReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  #take(length: number): number {
    if (length > this.left) {
      throw new KeytabError('damaged', 'the keytab is damaged: an entry ends in the middle of a field');
    }
    const at = this.#at;
    this.#at += length;
    return at;
  }

  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4));
  }

  skip(length: number): void {
    this.#take(length);
  }

  slice(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const readEntry = (reader: EntryReader): KeytabEntry => {
  const componentCount = reader.uint16();
  if (componentCount === 0) {
    throw new KeytabError('damaged', 'the keytab is damaged: an entry has a principal without a name');
  }
  const realm = text(reader.slice(reader.uint16()));
  const components: string[] = [];
  for (let index = 0; index < componentCount; index += 1) {
    components.push(text(reader.slice(reader.uint16())));
  }
  reader.skip(4); // name type
  const writtenAt = reader.uint32() * 1000;
  const kvno8 = reader.uint8();
  const enctype = reader.uint16();
  reader.skip(reader.uint16()); // the key, which nobody here needs
  // Entries may be padded, and a zero there is padding rather than a version (MIT, "Keytab file format").
  const kvno32 = reader.left >= 4 ? reader.uint32() : 0;
  return {
    principal: formatPrincipal({ components, realm }),
    kvno: kvno32 === 0 ? kvno8 : kvno32,
    enctype,
    writtenAt,
  };
};

/**
 * Decodes an MIT keytab of format 0x0502 ("Keytab file format" in MIT's krb5 documentation). Key bytes are skipped:
 * no value made here holds them. Throws {@link KeytabError}.
 */
export const decodeKeytab = (bytes: Uint8Array): Keytab => {
  if (bytes.length > MAX_KEYTAB_BYTES) {
    throw new KeytabError('too-large', `the keytab is larger than ${MAX_KEYTAB_BYTES} bytes`);
  }
  if (bytes.length === 0) {
    throw new KeytabError('empty', 'the keytab is an empty file');
  }
  if (bytes[0] === 0x05 && bytes[1] === 0x01) {
    throw new KeytabError('old-format', 'the keytab has the old format 0x0501, 0x0502 is needed');
  }
  if (bytes[0] !== 0x05 || bytes[1] !== 0x02) {
    throw new KeytabError('bad-magic', 'the file is no keytab: it does not start with the bytes 05 02');
  }
  const reader = new EntryReader(bytes.subarray(2));
  const entries: KeytabEntry[] = [];
  while (reader.left > 0) {
    const length = reader.int32();
    if (length === 0) {
      break; // MIT ends here too
    }
    if (length < 0) {
      reader.skip(-length); // a deleted entry
    } else {
      entries.push(readEntry(new EntryReader(reader.slice(length))));
    }
  }
  if (entries.length === 0) {
    throw new KeytabError('empty', 'the keytab has no entries');
  }
  return { entries, principals: [...new Set(entries.map(({ principal }) => principal))] };
};
