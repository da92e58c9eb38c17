/** One measurement of `npm run bench`. What it prints are ratios and counts of one run on one machine, no promises. */
export interface Bench {
  readonly name: string;
  /** One line a figure. Throws when it could not measure. */
  readonly run: (print: (line: string) => void) => Promise<void>;
}
