/** Status and body of client-node's ApiException, by shape. */
export function replyOf(error: unknown): { status: number | undefined; body: unknown } {
  if (typeof error !== 'object' || error === null || !('code' in error) || typeof error.code !== 'number') {
    return { status: undefined, body: undefined };
  }
  return { status: error.code, body: 'body' in error ? error.body : undefined };
}

/** True for the API server's own word about exactly this object, as against any other answer of that status on the way. */
export function isStatusAbout(
  body: unknown,
  { reason, kind, name }: { readonly reason: string; readonly kind: string; readonly name: string },
): boolean {
  let status: unknown;
  try {
    status = typeof body === 'string' ? JSON.parse(body) : body;
  } catch {
    return false;
  }
  const details = fieldOf(status, 'details');
  return (
    fieldOf(status, 'kind') === 'Status' &&
    fieldOf(status, 'reason') === reason &&
    fieldOf(details, 'kind') === kind &&
    fieldOf(details, 'name') === name
  );
}

/** client-node's types say what should be sent, not what came over the wire: every field is looked at as unknown. */
export function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? (Reflect.get(value, field) as unknown) : undefined;
}
