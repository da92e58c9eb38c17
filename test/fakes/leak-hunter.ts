import { formsOf, MIN_SECRET_BYTES } from './secret-forms.ts';
import type { SecretForm } from './secret-forms.ts';

export interface Leak {
  /** Name of the secret. */
  readonly secret: string;
  readonly encoding: string;
  readonly where: string;
  /** What stands around it; in its own place is how much of it was found. */
  readonly context: string;
}

interface HuntedForm extends SecretForm {
  readonly secret: string;
}

interface Window {
  readonly form: HuntedForm;
  readonly at: number;
}

/** Characters of a window; no form of a secret is shorter. */
const WINDOW = MIN_SECRET_BYTES;
const CONTEXT = 60;

/**
 * Searches logs, pages and files for secrets: plain, encoded, escaped, and for parts of them too. Sixteen bytes in a row
 * are a leak, of a shorter secret the whole of it.
 *
 * Of every form of every secret so many windows of eight characters are kept that each part that tells has one of them
 * whole. A rolling hash over the text finds them in one pass, however many secrets there are.
 */
export class LeakHunter {
  readonly #windows = new Map<number, Window[]>();
  readonly #seen = new Uint8Array(1 << 20);
  readonly #public = new Set<string>();

  /** Throws for a secret so short that it would be found by chance. Add the secret alone, not a file that has it. */
  add(secret: string, value: string | Uint8Array): void {
    if (Buffer.byteLength(value) < MIN_SECRET_BYTES) throw new Error(`${secret} is too short to hunt for`);
    for (const one of formsOf(value)) {
      const form = { ...one, secret };
      const step = form.tellTale - WINDOW + 1;
      for (let at = 0; at + WINDOW <= form.text.length; at += step) this.#keep({ form, at });
    }
  }

  /**
   * Payload and signature as they stand in the token, and the bytes of the signature. The header is the same in all
   * tokens, and what the payload says (namespace, pod) is in every log: neither is a leak.
   */
  addJwt(secret: string, jwt: string): void {
    const [, payload, signature, more] = jwt.split('.');
    if (payload === undefined || signature === undefined || more !== undefined) {
      throw new Error(`${secret} is no JWT`);
    }
    this.add(`payload of ${secret}`, payload);
    if (signature === '') return;
    this.add(`signature of ${secret}`, signature);
    this.add(`signature of ${secret}`, Buffer.from(signature, 'base64url'));
  }

  /** What may be seen, though secrets have it too: the public half of a key, the armour of a PEM file. */
  allow(value: string | Uint8Array): void {
    for (const { text } of formsOf(value)) {
      for (let at = 0; at + WINDOW <= text.length; at += 1) this.#public.add(text.slice(at, at + WINDOW));
    }
  }

  /** The first leak of each form of each secret. Bytes are searched as they are, text as it is read. */
  search(content: string | Uint8Array, where: string): Leak[] {
    const text = typeof content === 'string' ? content : Buffer.from(content).toString('latin1');
    const leaks = new Map<HuntedForm, Leak>();
    this.#searchText(text, where, leaks);
    // <Buffer 61 62>, [ 97, 98 ], 61:62, and base64 in lines.
    this.#searchText(text.replaceAll(/[\s:]|\\+[nr]/g, ''), where, leaks);
    return [...leaks.values()];
  }

  #keep(window: Window): void {
    const hash = hashOf(window.form.text, window.at);
    this.#seen[hash >>> 12] = 1;
    const same = this.#windows.get(hash);
    if (same === undefined) this.#windows.set(hash, [window]);
    else same.push(window);
  }

  /** Without what may be seen, is there enough of it in a row? */
  #tells(text: string, { tellTale }: HuntedForm): boolean {
    let inARow = WINDOW - 1;
    for (let at = 0; at + WINDOW <= text.length; at += 1) {
      inARow = this.#public.has(text.slice(at, at + WINDOW)) ? WINDOW - 1 : inARow + 1;
      if (inARow >= tellTale) return true;
    }
    return false;
  }

  #searchText(text: string, where: string, leaks: Map<HuntedForm, Leak>): void {
    let hash = hashOf(text, 0);
    for (let at = 0; at + WINDOW <= text.length; at += 1) {
      if (this.#seen[hash >>> 12] === 1) {
        for (const window of this.#windows.get(hash) ?? []) {
          if (leaks.has(window.form)) continue;
          const part = commonPart(text, at, window);
          if (part !== undefined && this.#tells(part.text, window.form)) {
            leaks.set(window.form, describe(text, where, window.form, part));
          }
        }
      }
      hash = roll(hash, text.charCodeAt(at), text.charCodeAt(at + WINDOW));
    }
  }
}

interface Part {
  readonly text: string;
  readonly at: number;
}

/** All that text and form have in common around the window, if the window is there. */
function commonPart(text: string, at: number, { form, at: formAt }: Window): Part | undefined {
  if (!text.startsWith(form.text.slice(formAt, formAt + WINDOW), at)) return undefined;
  let before = 0;
  while (before < formAt && before < at && text[at - before - 1] === form.text[formAt - before - 1])
    before += 1;
  let after = WINDOW;
  while (formAt + after < form.text.length && text[at + after] === form.text[formAt + after]) after += 1;
  return { text: text.slice(at - before, at + after), at: at - before };
}

function describe(
  text: string,
  where: string,
  { secret, encoding, text: whole }: HuntedForm,
  part: Part,
): Leak {
  const end = part.at + part.text.length;
  const before = text.slice(Math.max(0, part.at - CONTEXT), part.at);
  const here = `<${part.text.length} of ${whole.length} characters of ${secret}, ${encoding}>`;
  return { secret, encoding, where, context: `${before}${here}${text.slice(end, end + CONTEXT)}` };
}

// A polynomial in this number, modulo 2^32, over the codes of eight characters.
const BASE = 0x01_00_01_93;
const BASE_TO_THE_WINDOW = Array.from({ length: WINDOW }).reduce<number>(
  (power) => Math.imul(power, BASE),
  1,
);

function hashOf(text: string, at: number): number {
  let hash = 0;
  for (let next = at; next < at + WINDOW; next += 1) {
    hash = (Math.imul(hash, BASE) + text.charCodeAt(next)) >>> 0;
  }
  return hash;
}

function roll(hash: number, leaving: number, entering: number): number {
  return (Math.imul(hash, BASE) + entering - Math.imul(leaving, BASE_TO_THE_WINDOW)) >>> 0;
}
