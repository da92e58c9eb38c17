import { createPrivateKey, createPublicKey } from 'node:crypto';
import { LeakHunter } from '../../fakes/leak-hunter.ts';
import type { Leak } from '../../fakes/leak-hunter.ts';
import { formsOf } from '../../fakes/secret-forms.ts';

/** All that must never be seen, with what is looked for. */
export class Secrets {
  readonly #hunter = new LeakHunter();
  readonly #values = new Map<string, Uint8Array>();
  #bytes = 0;
  #forms = 0;
  #searched = 0;

  /** So many secrets, of so many bytes, in so many forms; so many characters were searched for them. */
  get counts(): { secrets: number; bytes: number; forms: number; searched: number } {
    return {
      secrets: this.#values.size,
      bytes: this.#bytes,
      forms: this.#forms,
      searched: this.#searched,
    };
  }

  /** Each with what it is called. */
  get all(): ReadonlyMap<string, Uint8Array> {
    return this.#values;
  }

  add(name: string, value: string | Uint8Array): void {
    const bytes = Buffer.from(value as string);
    this.#values.set(`${name} ${this.#values.size}`, bytes);
    this.#bytes += bytes.length;
    this.#forms += formsOf(value).length;
    this.#hunter.add(name, value);
  }

  /** Its header is no secret: it is the same for all. */
  addJwt(name: string, jwt: string): void {
    const [, payload = '', signature = ''] = jwt.split('.');
    this.add(`payload of ${name}`, payload);
    if (signature === '') return;
    this.add(`signature of ${name}`, signature);
    this.add(`bytes of the signature of ${name}`, Buffer.from(signature, 'base64url'));
  }

  /** PEM; the whole, as text and in DER, and the numbers that make it private. */
  addPrivateKey(name: string, pem: string): void {
    const key = createPrivateKey(pem);
    const { n, x, y } = createPublicKey(pem).export({ format: 'jwk' });
    for (const open of [n, x, y]) {
      if (open !== undefined) this.#hunter.allow(Buffer.from(open, 'base64url'));
    }
    this.add(`${name} in DER`, key.export({ type: 'pkcs8', format: 'der' }));
    this.add(`${name} in PEM`, pem.replaceAll(/-----[^-]+-----|\s/g, ''));
    const { d, p, q } = key.export({ format: 'jwk' });
    for (const [part, value] of Object.entries({ d, p, q })) {
      if (value !== undefined) this.add(`${part} of ${name}`, Buffer.from(value, 'base64url'));
    }
  }

  addKeytab(name: string, bytes: Buffer): void {
    this.add(name, bytes);
    for (const key of keysOf(bytes)) this.add(`key of ${name}`, key);
  }

  /** What may be seen though a secret has it too, such as the name of a principal. */
  allow(value: string): void {
    this.#hunter.allow(value);
  }

  search(content: string | Uint8Array, where: string): Leak[] {
    this.#searched += content.length;
    return this.#hunter.search(content, where);
  }
}

/** The keys of an MIT keytab of format 0x0502, which the product never reads. */
function keysOf(keytab: Buffer): Buffer[] {
  const keys: Buffer[] = [];
  let at = 2;
  while (at + 4 <= keytab.length) {
    const length = keytab.readInt32BE(at);
    if (length === 0) break;
    if (length > 0) keys.push(keyOf(keytab.subarray(at + 4, at + 4 + length)));
    at += 4 + Math.abs(length);
  }
  return keys;
}

function keyOf(entry: Buffer): Buffer {
  let at = 2;
  // The realm, and each component of the name.
  for (let texts = entry.readUInt16BE(0) + 1; texts > 0; texts -= 1) at += 2 + entry.readUInt16BE(at);
  // Name type, time, version, encryption type.
  at += 4 + 4 + 1 + 2;
  return entry.subarray(at + 2, at + 2 + entry.readUInt16BE(at));
}
