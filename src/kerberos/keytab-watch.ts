import { SpnegoError } from '../hadoop/spnego.ts';
import type { KeytabSource } from './keytab-file.ts';
import { KeytabError, type Keytab } from './keytab.ts';
import { formatPrincipal, parsePrincipal, PrincipalError } from './principal.ts';

const toSpnegoError = (error: unknown): unknown =>
  error instanceof KeytabError
    ? new SpnegoError('credentials', error.message, {
        fix: 'Mount a keytab of the principal there (klist -kt shows what is in one), readable by the user this process runs as',
      })
    : error;

const listOf = (principals: readonly string[]): string => {
  const shown = principals.slice(0, 10).join(', ');
  return principals.length > 10 ? `${shown} and ${principals.length - 10} more` : shown;
};

const absentError = (principal: string, keytab: Keytab): SpnegoError =>
  new SpnegoError('credentials', `the keytab has no entry of ${principal}`, {
    fix: `Configure one of the principals it has (${listOf(keytab.principals)}), or export ${principal} into it`,
  });

/** Equal principals have one spelling; libkrb5 would add its default realm where there is none, we don't guess. */
const fullPrincipal = (text: string): string => {
  try {
    const principal = parsePrincipal(text);
    if (principal.realm === undefined) {
      throw new PrincipalError(
        `the principal ${text} has no realm; write it as name@REALM or name/instance@REALM`,
      );
    }
    return formatPrincipal(principal);
  } catch (error) {
    throw error instanceof PrincipalError
      ? new SpnegoError('configuration', error.message, { fix: 'Correct the configured principal' })
      : error;
  }
};

/** One call at a time, shared: on a file system that hangs each would hold a thread of the server's pool. */
const shared = <T>(ask: () => Promise<T>): (() => Promise<T>) => {
  let asked: Promise<T> | undefined;
  return async () => {
    asked ??= ask().finally(() => {
      asked = undefined;
    });
    return asked;
  };
};

/** Knows which keytab is in use, sees that it changed, and insists that our principal is in it. */
export class KeytabWatch {
  readonly principal: string;
  readonly #source: KeytabSource;
  #fingerprint: string | undefined;

  private constructor(source: KeytabSource, principal: string, fingerprint: string | undefined) {
    this.#source = { fingerprint: shared(() => source.fingerprint()), read: shared(() => source.read()) };
    this.principal = principal;
    this.#fingerprint = fingerprint;
  }

  /** Reads the keytab only when there is no `principal`. Rejects with {@link SpnegoError}. */
  static async create(source: KeytabSource, principal: string | undefined): Promise<KeytabWatch> {
    if (principal !== undefined) {
      return new KeytabWatch(source, fullPrincipal(principal), undefined);
    }
    try {
      const fingerprint = await source.fingerprint();
      const [first] = (await source.read()).principals;
      if (first === undefined) {
        throw new KeytabError('empty', 'the keytab has no entries');
      }
      return new KeytabWatch(source, first, fingerprint);
    } catch (error) {
      throw toSpnegoError(error);
    }
  }

  /**
   * To be called before each use. Resolves with the new content when the file is another one than at the last call,
   * the first one included only if it was not read before; rejects with {@link SpnegoError} 'credentials'. Nothing is
   * kept once the signal is aborted: what nobody waits for any more is found out by the next call.
   */
  async follow(signal: AbortSignal): Promise<Keytab | undefined> {
    try {
      const fingerprint = await this.#source.fingerprint();
      if (fingerprint === this.#fingerprint) {
        return undefined;
      }
      const keytab = await this.#source.read();
      if (!keytab.principals.includes(this.principal)) {
        throw absentError(this.principal, keytab);
      }
      signal.throwIfAborted();
      const isFirst = this.#fingerprint === undefined;
      this.#fingerprint = fingerprint;
      return isFirst ? undefined : keytab;
    } catch (error) {
      throw toSpnegoError(error);
    }
  }

  /** Whether the file is another one than at the last `follow()`. Rejects like it. */
  async hasChanged(): Promise<boolean> {
    try {
      return (await this.#source.fingerprint()) !== this.#fingerprint;
    } catch (error) {
      throw toSpnegoError(error);
    }
  }
}
