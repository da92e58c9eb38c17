/** One part of `npm run bench`. What it prints are ratios and counts of one run on one machine, no promises. */
export interface Bench {
  readonly name: string;
  /**
   * @param print one line a figure
   * @param record a figure of the table and of `bench-results.json`
   * @param isNamed asked for by `--only`, so it may take longer than its share of five minutes
   * Throws when it could not measure.
   */
  readonly run: (
    print: (line: string) => void,
    record: (key: string, value: number) => void,
    options: { readonly isNamed: boolean },
  ) => Promise<void>;
}
