export interface TokenLimits {
  /** Live tokens, of all generations, that one namespace may have. */
  readonly perNamespace: number;
  /** Of everybody. */
  readonly inAll: number;
}

/** As many tokens live as may: none is taken from anybody for a new one. */
export class TokenLimitError extends Error {
  override readonly name = 'TokenLimitError';
  readonly limit: 'namespace' | 'all';

  constructor(limit: 'namespace' | 'all', live: number) {
    super(`${live} delegation tokens live already`);
    this.limit = limit;
  }
}
