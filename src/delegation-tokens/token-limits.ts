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
