import type { Clock } from '../time/clock.ts';
import type { TokenServiceError } from './token-service.ts';

export const FIRST_HOLD_MS = 5_000;
export const LONGEST_HOLD_MS = 300_000;
export const MAX_REFUSALS = 10_000;
export const MAX_REFUSALS_PER_NAMESPACE = 100;

export interface HeldRefusalsOptions {
  readonly clock: Clock;
  readonly maxRefusals?: number;
  readonly maxPerNamespace?: number;
}

interface Held {
  readonly error: TokenServiceError;
  readonly since: number;
  readonly holdMs: number;
}

/**
 * Hadoop's final answers to requests for tokens, so that a pod which asks again and again does not make us ask Hadoop
 * (and leave a token there) each time. The first is held for 5 s, and twice as long each time it comes again, up to
 * 5 min; what was not asked again for another 5 min after that counts as new.
 *
 * Apart from the tokens, because anybody may be refused any number of names: those must push no token out. And bounded
 * by namespace: when there are too many, the oldest of the same namespace goes, or of the one that has the most.
 */
export class HeldRefusals {
  readonly #clock: Clock;
  readonly #maxRefusals: number;
  readonly #maxPerNamespace: number;
  /** By namespace and key, in the order of the last refusal. */
  readonly #namespaces = new Map<string, Map<string, Held>>();
  #size = 0;

  constructor(options: HeldRefusalsOptions) {
    this.#clock = options.clock;
    this.#maxRefusals = options.maxRefusals ?? MAX_REFUSALS;
    this.#maxPerNamespace = options.maxPerNamespace ?? MAX_REFUSALS_PER_NAMESPACE;
  }

  get size(): number {
    return this.#size;
  }

  /** The refusal that still holds. */
  find(namespace: string, key: string): TokenServiceError | undefined {
    const held = this.#namespaces.get(namespace)?.get(key);
    return held !== undefined && this.#ageMs(held) < held.holdMs ? held.error : undefined;
  }

  add(namespace: string, key: string, error: TokenServiceError): void {
    const before = this.#namespaces.get(namespace)?.get(key);
    const isRepeated = before !== undefined && this.#ageMs(before) < before.holdMs + LONGEST_HOLD_MS;
    const holdMs = isRepeated ? Math.min(2 * before.holdMs, LONGEST_HOLD_MS) : FIRST_HOLD_MS;
    this.delete(namespace, key);
    const ofNamespace = this.#namespaces.get(namespace) ?? new Map<string, Held>();
    this.#namespaces.set(namespace, ofNamespace);
    ofNamespace.set(key, { error, since: this.#clock.now(), holdMs });
    this.#size += 1;
    if (ofNamespace.size > this.#maxPerNamespace) this.#dropOldestOf(namespace);
    if (this.#size > this.#maxRefusals) this.#dropOldestOf(this.#largest());
  }

  delete(namespace: string, key: string): void {
    const ofNamespace = this.#namespaces.get(namespace);
    if (ofNamespace?.delete(key) !== true) return;
    this.#size -= 1;
    if (ofNamespace.size === 0) this.#namespaces.delete(namespace);
  }

  /** Forgets what would count as new if it came again. */
  sweep(): void {
    for (const [namespace, ofNamespace] of this.#namespaces) {
      for (const [key, held] of ofNamespace) {
        if (this.#ageMs(held) >= held.holdMs + LONGEST_HOLD_MS) this.delete(namespace, key);
      }
    }
  }

  /** A clock that was set back says nothing about the age: better ask once more than refuse for long. */
  #ageMs({ since }: Held): number {
    const ageMs = this.#clock.now() - since;
    return ageMs < 0 ? Number.POSITIVE_INFINITY : ageMs;
  }

  #largest(): string {
    let largest = '';
    for (const [namespace, { size }] of this.#namespaces) {
      if (size > (this.#namespaces.get(largest)?.size ?? 0)) largest = namespace;
    }
    return largest;
  }

  #dropOldestOf(namespace: string): void {
    const [oldest] = this.#namespaces.get(namespace)?.keys() ?? [];
    if (oldest !== undefined) this.delete(namespace, oldest);
  }
}
