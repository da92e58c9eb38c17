/** What was asked for makes no sense, as opposed to work that failed: the command line ends with 2, not 1. */
export class UsageError extends Error {
  override name = 'UsageError';
}
