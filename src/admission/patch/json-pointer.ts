/** Keys and list indexes from the root down, not escaped. */
export type JsonPath = readonly string[];

/** RFC 6901: `~` is `~0` and `/` is `~1`, so that `kerbridge.dev/stamp` is one segment. */
export function formatPointer(path: JsonPath): string {
  return path.map((segment) => `/${segment.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** undefined if it is no JSON pointer. */
export function parsePointer(pointer: string): JsonPath | undefined {
  if (pointer === '') return [];
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) return undefined;
  return pointer
    .slice(1)
    .split('/')
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

const MAX_SHOWN = 300;

/** For a sentence. The keys are a tenant's: they may be a megabyte long, or hold line breaks. */
export function showPointer(path: JsonPath): string {
  const pointer = formatPointer(path);
  const shown = pointer.length > MAX_SHOWN ? `${pointer.slice(0, MAX_SHOWN)}…` : pointer;
  return shown === '' ? 'the object' : JSON.stringify(shown).slice(1, -1);
}
