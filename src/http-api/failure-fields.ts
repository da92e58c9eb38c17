/** What our own errors say to the operator besides their message. */
export function failureFields(error: unknown): Readonly<Record<string, string>> {
  if (!(error instanceof Error)) return {};
  return Object.fromEntries(
    ['endpoint', 'exception', 'fix'].flatMap((name) => {
      const value: unknown = Reflect.get(error, name);
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}
