import type { RecordId } from '../delegation-tokens/token-record.ts';
import type { OnRecordChange } from '../delegation-tokens/token-store.ts';
import type { ReflectorEvent, ReflectorTarget, Replacement } from '../kubernetes/reflector/reflector.ts';
import type { SecretRecord } from '../kubernetes/secret-records.ts';
import { formatVersion, readRecord } from './stored-secret.ts';

export type RecordMirrorEvent =
  | ReflectorEvent
  /** A Secret that is no record of ours, once for each version of it. Without anything of its content. */
  | { readonly type: 'malformed'; readonly secret: string; readonly problem: string }
  /** `onChange` threw. */
  | { readonly type: 'callback-failed'; readonly error: unknown };

export interface RecordMirrorOptions {
  readonly onChange: OnRecordChange;
  readonly onEvent?: (event: RecordMirrorEvent) => void;
}

interface Told {
  readonly id: RecordId;
  readonly uid: string;
  readonly version: string;
}

/**
 * Tells of each record what is new, keeps none. A record that becomes malformed stays as it was last told: to take it for
 * gone would let tokens lapse that pods hold.
 */
export class RecordMirror implements ReflectorTarget<SecretRecord> {
  readonly #options: RecordMirrorOptions;
  /** By name of the Secret. */
  readonly #told = new Map<string, Told>();
  /** Versions of those that are no records, by name. */
  readonly #malformed = new Map<string, string>();

  constructor(options: RecordMirrorOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#told.size;
  }

  put(secret: SecretRecord): void {
    const { name, uid } = secret;
    const version = formatVersion(secret);
    if (this.#told.get(name)?.version === version || this.#malformed.get(name) === version) return;
    const read = readRecord(secret);
    if ('problem' in read) {
      this.#malformed.set(name, version);
      this.report({ type: 'malformed', secret: name, problem: read.problem });
      return;
    }
    const { namespace, owner } = read.stored.record;
    const id = { namespace, owner };
    this.#malformed.delete(name);
    this.#told.set(name, { id, uid, version });
    this.#tell(() => this.#options.onChange(id, read.stored));
  }

  delete({ name, uid }: Pick<SecretRecord, 'name' | 'uid'>): void {
    const malformed = this.#malformed.get(name);
    const told = this.#told.get(name);
    const isOfMalformed = malformed?.startsWith(`${uid}/`) === true;
    if (isOfMalformed) this.#malformed.delete(name);
    if (told === undefined || (told.uid !== uid && !isOfMalformed)) return;
    this.#told.delete(name);
    this.#tell(() => this.#options.onChange(told.id, undefined));
  }

  beginReplacement(): Replacement<SecretRecord> {
    const put = new Set<string>();
    return {
      put: (secret) => {
        put.add(secret.name);
        this.put(secret);
      },
      complete: () => {
        for (const [name, { id }] of this.#told) {
          if (put.has(name)) continue;
          this.#told.delete(name);
          this.#tell(() => this.#options.onChange(id, undefined));
        }
        for (const name of this.#malformed.keys()) if (!put.has(name)) this.#malformed.delete(name);
      },
    };
  }

  readonly report = (event: RecordMirrorEvent): void => {
    try {
      this.#options.onEvent?.(event);
    } catch {
      // There is nobody left to tell.
    }
  };

  #tell(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.report({ type: 'callback-failed', error });
    }
  }
}
