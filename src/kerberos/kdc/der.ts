/** As much of DER (X.690) as the two messages need that a KDC is asked with and answers with. */

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const GENERAL_STRING = 0x1b;
const GENERALIZED_TIME = 0x18;

const lengthOf = (length: number): Uint8Array => {
  if (length < 0x80) return Uint8Array.of(length);
  if (length < 0x100) return Uint8Array.of(0x81, length);
  return Uint8Array.of(0x82, length >> 8, length & 0xff);
};

const tagged = (tag: number, ...contents: readonly Uint8Array[]): Uint8Array => {
  const content = Buffer.concat(contents);
  return Buffer.concat([Uint8Array.of(tag), lengthOf(content.length), content]);
};

export const sequence = (...members: readonly Uint8Array[]): Uint8Array => tagged(SEQUENCE, ...members);

/** `[number]`, explicit: Kerberos tags every member so. */
export const member = (number: number, content: Uint8Array): Uint8Array => tagged(0xa0 | number, content);

export const application = (number: number, content: Uint8Array): Uint8Array =>
  tagged(0x60 | number, content);

/** Of 0 to 2^32 - 1. */
export const integer = (value: number): Uint8Array => {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.unshift(rest % 256);
    rest = Math.floor(rest / 256);
  } while (rest > 0);
  // The first bit is the sign.
  if ((bytes[0] ?? 0) >= 0x80) bytes.unshift(0);
  return tagged(INTEGER, Uint8Array.from(bytes));
};

/** 32 flags. */
export const flags = (value: number): Uint8Array => {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(value, 1);
  return tagged(BIT_STRING, bytes);
};

export const generalString = (text: string): Uint8Array => tagged(GENERAL_STRING, Buffer.from(text, 'utf8'));

/** `YYYYMMDDHHMMSSZ`. */
export const generalizedTime = (text: string): Uint8Array =>
  tagged(GENERALIZED_TIME, Buffer.from(text, 'latin1'));

export interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** The elements that follow each other in `bytes`; undefined when they are not whole, or of a form that DER has not. */
export const readElements = (bytes: Uint8Array): readonly Element[] | undefined => {
  const elements: Element[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at];
    const first = bytes[at + 1];
    if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
    at += 2;
    let length = first;
    if (first >= 0x80) {
      const count = first & 0x7f;
      if (count === 0 || count > 3 || at + count > bytes.length) return undefined;
      length = bytes.subarray(at, at + count).reduce((sum, byte) => sum * 256 + byte, 0);
      at += count;
    }
    if (at + length > bytes.length) return undefined;
    elements.push({ tag, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return elements;
};

/** Of a member `[n] INTEGER` of up to four bytes. */
export const readInteger = (content: Uint8Array): number | undefined => {
  const [element, ...more] = readElements(content) ?? [];
  if (element?.tag !== INTEGER || more.length > 0) return undefined;
  const { length } = element.content;
  return length < 1 || length > 4 ? undefined : Buffer.from(element.content).readIntBE(0, length);
};

/** Of a member `[n] KerberosTime`: ms since the epoch. */
export const readTime = (content: Uint8Array): number | undefined => {
  const [element, ...more] = readElements(content) ?? [];
  if (element?.tag !== GENERALIZED_TIME || more.length > 0) return undefined;
  const text = Buffer.from(element.content).toString('latin1');
  const groups = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/u.exec(text);
  if (groups === null) return undefined;
  const [year, month, day, hour, minute, second] = groups.slice(1).map(Number);
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
};

/** Of a member `[n] KerberosString`. */
export const readString = (content: Uint8Array): string | undefined => {
  const [element, ...more] = readElements(content) ?? [];
  return element?.tag !== GENERAL_STRING || more.length > 0
    ? undefined
    : Buffer.from(element.content).toString('utf8');
};
