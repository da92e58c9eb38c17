/** RFC 6902. `path` is a JSON pointer, `value` what JSON can say. */
export type PatchOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };
