import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/**
 * A value that must never reach a log, a metric or an error: a token password, a cookie, a bearer token.
 * String conversion, JSON and `util.inspect` all say `[redacted]`; only `reveal()` hands the value out,
 * so that every place where a secret leaves its wrapping can be found by that name.
 */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
