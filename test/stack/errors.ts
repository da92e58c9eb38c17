// Not `instanceof Error`: under Jest the errors of Node itself are of another realm than the code that catches them.

/** Whether an error of Node has this code, ENOENT for example. */
export function isErrno(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}

export function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error
    ? String(error.message)
    : String(error);
}

/** The message of the cause, if there is one: fetch says "fetch failed" and the reason is behind it. */
export function rootMessage(error: unknown): string {
  const cause = typeof error === 'object' && error !== null && 'cause' in error ? error.cause : undefined;
  return messageOf(cause ?? error);
}
