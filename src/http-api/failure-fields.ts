/** What our own errors say to the operator besides their message; of several at once, the first. */
export function failureFields(error: unknown): Readonly<Record<string, string>> {
  if (error instanceof AggregateError) return failureFields(error.errors[0]);
  if (!(error instanceof Error)) return {};
  return Object.fromEntries(
    ['endpoint', 'exception', 'fix'].flatMap((name) => {
      const value: unknown = Reflect.get(error, name);
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}
