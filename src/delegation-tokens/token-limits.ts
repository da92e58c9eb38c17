import type { LiveTokens } from './live-tokens.ts';

export interface TokenLimits {
  /** Live tokens, of all generations, that one namespace may have. */
  readonly perNamespace: number;
  /** Of everybody. */
  readonly inAll: number;
}

/** `source`: as many wait for one Hadoop as may. The others: of live tokens. */
export type TokenLimit = 'namespace' | 'total' | 'source';

/** As many tokens live as may: none is taken from anybody for a new one. */
export class TokenLimitError extends Error {
  override readonly name = 'TokenLimitError';
  readonly limit: Exclude<TokenLimit, 'source'>;

  constructor(limit: Exclude<TokenLimit, 'source'>, live: number) {
    super(`${live} delegation tokens live already`);
    this.limit = limit;
  }
}

export interface TokenRoomOptions {
  readonly tokens: Pick<LiveTokens, 'countIn' | 'size'>;
  readonly limits: TokenLimits;
  readonly onLimited?: ((limit: TokenLimit) => void) | undefined;
}

/** Room for tokens of which there is no generation yet: those that live count, and those that are being made. */
export class TokenRoom {
  readonly #options: TokenRoomOptions;
  /** By namespace. */
  readonly #making = new Map<string | undefined, number>();
  #makingInAll = 0;

  constructor(options: TokenRoomOptions) {
    this.#options = options;
  }

  /** Makes one more, if it may be. Rejects with TokenLimitError, or as `make` does. */
  async take<T>(namespace: string | undefined, make: () => Promise<T>): Promise<T> {
    const { tokens, limits } = this.#options;
    const making = this.#making.get(namespace) ?? 0;
    const inNamespace = tokens.countIn(namespace) + making;
    // check: live-tokens-limit
    if (inNamespace >= limits.perNamespace) throw this.#limited('namespace', inNamespace);
    const inAll = tokens.size + this.#makingInAll;
    // check: all-live-tokens-limit
    if (inAll >= limits.inAll) throw this.#limited('total', inAll);
    this.#making.set(namespace, making + 1);
    this.#makingInAll += 1;
    try {
      return await make();
    } finally {
      this.#makingInAll -= 1;
      const left = (this.#making.get(namespace) ?? 1) - 1;
      if (left === 0) this.#making.delete(namespace);
      else this.#making.set(namespace, left);
    }
  }

  #limited(limit: 'namespace' | 'total', live: number): TokenLimitError {
    this.#options.onLimited?.(limit);
    return new TokenLimitError(limit, live);
  }
}
