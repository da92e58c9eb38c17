import { SpnegoError } from '../hadoop/spnego.ts';
import type { Clock } from '../time/clock.ts';

const MAX_HOLD_MS = 600_000;

/**
 * Keeps us from asking a KDC again and again with a key it refuses: that locks accounts (Active Directory's after a
 * few tries), also by the steps that a readiness check wants. Each refusal in a row is held twice as long as the one
 * before.
 */
export class CredentialsHold {
  readonly #clock: Clock;
  readonly #firstMs: number;
  #refused: { readonly error: SpnegoError; readonly until: number; readonly holdMs: number } | undefined;

  constructor(clock: Clock, firstMs: number) {
    this.#clock = clock;
    this.#firstMs = firstMs;
  }

  /** Whether the last answer of the KDC was a refusal, however long ago. */
  get refused(): boolean {
    return this.#refused !== undefined;
  }

  refuse(error: SpnegoError): void {
    const last = this.#refused;
    const holdMs = last === undefined ? this.#firstMs : Math.min(last.holdMs * 2, MAX_HOLD_MS);
    this.#refused = { error, holdMs, until: this.#clock.now() + holdMs };
  }

  /** To be called when the keytab is another one, the tickets are, or all is well. */
  lift(): void {
    this.#refused = undefined;
  }

  /** Throws the {@link SpnegoError} of the refusal as long as it stands. */
  throwIfHeld(): void {
    const { error, until = 0, holdMs = 0 } = this.#refused ?? {};
    const leftMs = until - this.#clock.now();
    // More than the hold is left only when the clock was set back: that says nothing.
    if (error !== undefined && leftMs > 0 && leftMs <= holdMs) {
      throw new SpnegoError(
        error.failure,
        `${error.message} (the KDC is asked again in ${Math.ceil(leftMs / 1000)} s, or when the keytab has changed)`,
        error.fix === undefined ? {} : { fix: error.fix },
      );
    }
  }
}
