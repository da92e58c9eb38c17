/** What of an error may be logged: never its own enumerable properties (they may hold requests, headers, bodies). */
export interface DescribedError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: DescribedError;
  readonly errors?: readonly DescribedError[];
}

const MAX_DEPTH = 5;
const MAX_AGGREGATED = 5;

/** Never throws, also not for getters that do. Something that is not an Error is named by its type only. */
export function describeError(thrown: unknown): DescribedError {
  return describe(thrown, 0);
}

function describe(thrown: unknown, depth: number): DescribedError {
  if (!isError(thrown)) return { name: 'NonError', message: `something of type ${typeof thrown} was thrown` };
  const code = read(thrown, 'code');
  const stack = read(thrown, 'stack');
  const cause = read(thrown, 'cause');
  const errors = read(thrown, 'errors');
  const goDeeper = depth < MAX_DEPTH;
  return {
    name: text(read(thrown, 'name')) ?? 'Error',
    message: text(read(thrown, 'message')) ?? '',
    ...(typeof code === 'string' || typeof code === 'number' ? { code: String(code) } : {}),
    ...(typeof stack === 'string' ? { stack } : {}),
    ...(cause !== undefined && cause !== null && goDeeper ? { cause: describe(cause, depth + 1) } : {}),
    ...(Array.isArray(errors) && goDeeper
      ? { errors: errors.slice(0, MAX_AGGREGATED).map((each: unknown) => describe(each, depth + 1)) }
      : {}),
  };
}

/** `Error.isError` and not `instanceof`: an error may come from another realm (a worker, a test's VM context). */
function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || Object.prototype.toString.call(thrown) === '[object Error]';
}

function read(error: Error, property: string): unknown {
  try {
    return Reflect.get(error, property);
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
