/** One way to write a secret, and how much of it in a row gives it away. */
export interface SecretForm {
  readonly encoding: string;
  readonly text: string;
  /** Characters; 16 bytes or characters of the secret, or all of a shorter one. */
  readonly tellTale: number;
}

/** Below this a secret would be found by chance: a group of base64 has four characters. */
export const MIN_SECRET_BYTES = 8;

const TELL_TALE_BYTES = 16;

/** Every form in which a secret may stand in a log, a page or an error, each text once. */
export function formsOf(secret: string | Uint8Array): SecretForm[] {
  const bytes = Buffer.from(secret as string);
  const characters = bytes.toString('latin1');
  const utf16 = typeof secret === 'string' ? Buffer.from(secret, 'utf16le') : undefined;
  const forms = [
    ...(typeof secret === 'string' ? textForms(secret) : []),
    // What a file of bytes is when it is searched.
    ...textForms(characters),
    form('percent-encoded', percentEncode(bytes, false)),
    form('percent-encoded, small', percentEncode(bytes, false).replaceAll(/%../g, lowerCase)),
    form('every byte percent-encoded', percentEncode(bytes, true), 3),
    form('every byte percent-encoded, small', percentEncode(bytes, true).toLowerCase(), 3),
    form('percent-encoded twice', percentEncode(Buffer.from(percentEncode(bytes, false)), false)),
    form('every byte percent-encoded twice', percentEncode(bytes, true).replaceAll('%', '%25'), 5),
    form('hex', bytes.toString('hex'), 2),
    form('HEX', bytes.toString('hex').toUpperCase(), 2),
    // JSON and util.inspect of a Buffer, without its blanks. At least two characters a byte.
    form('list of bytes', bytes.join(','), 2),
    ...base64Forms('', bytes),
    ...(utf16 === undefined
      ? []
      : [
          form('UTF-16', utf16.toString('latin1')),
          form('UTF-16 with escapes', escapeJson(utf16.toString('latin1')), 3),
          ...base64Forms('UTF-16 in ', utf16),
        ]),
  ];
  return forms.filter(({ text }, index) => forms.findIndex((one) => one.text === text) === index);
}

function textForms(text: string): SecretForm[] {
  return [
    form('plain', text),
    form('URL-encoded', encodeURIComponent(text.toWellFormed())),
    form('URL-encoded twice', encodeURIComponent(encodeURIComponent(text.toWellFormed()))),
    form('JSON', escapeJson(text)),
    form('JSON in JSON', escapeJson(escapeJson(text))),
    form('JSON in ASCII', escapeJson(text).replaceAll(/[^\x20-\x7e]/g, unicodeEscape)),
  ];
}

/**
 * A secret in the middle of other bytes starts anywhere in a group of three: for each of the three places the groups that
 * hold nothing else.
 */
function base64Forms(prefix: string, bytes: Buffer): SecretForm[] {
  return [0, 1, 2].flatMap((skipped) => {
    const groups = bytes.subarray(skipped, bytes.length - ((bytes.length - skipped) % 3));
    return [
      form(`${prefix}base64`, groups.toString('base64')),
      form(`${prefix}base64url`, groups.toString('base64url')),
    ];
  });
}

function form(encoding: string, text: string, charactersPerByte = 1): SecretForm {
  return { encoding, text, tellTale: Math.min(TELL_TALE_BYTES * charactersPerByte, text.length) };
}

function percentEncode(bytes: Uint8Array, all: boolean): string {
  return Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    if (!all && /[\w.~-]/.test(character)) return character;
    return `%${byte.toString(16).padStart(2, '0').toUpperCase()}`;
  }).join('');
}

function escapeJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function lowerCase(text: string): string {
  return text.toLowerCase();
}
