/**
 * What one check of `kerbridge check` found. `failed`: it would not work like this. `warning`: it works, and something is odd or
 * will not last. `skipped`: it couldn't be looked at, because of an earlier failure (`detail` says which) or because it isn't
 * configured.
 */
export interface Finding {
  /** Stable, kebab-case, with its subject after a colon where there are several: `spnego:default/nn1`. */
  readonly id: string;
  /** What was looked at, for a person: `SPNEGO to http://nn1.example.com:9870 (HTTP/nn1.example.com)`. */
  readonly title: string;
  readonly outcome: 'ok' | 'warning' | 'failed' | 'skipped';
  /** What was seen. One line, without any secret. */
  readonly detail: string;
  /** What to do, in words: property, command, verb. Always there when `failed` or `warning`. */
  readonly fix?: string;
}

export type Outcome = Finding['outcome'];
