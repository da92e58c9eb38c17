import { parsePointer } from '../../src/admission/patch/json-pointer.ts';
import { childOf, isMap, listIndex } from '../../src/admission/patch/json-value.ts';
import type { PatchOperation } from '../../src/admission/patch/patch-operation.ts';

/**
 * The API server's patcher (evanphx/json-patch v4), for tests: strict where it is strict. A parent that is missing or null
 * is an error, as is removing or replacing what isn't there. Gives a new object.
 */
export function applyJsonPatch(object: unknown, operations: readonly PatchOperation[]): unknown {
  const root = { document: JSON.parse(JSON.stringify(object)) as unknown };
  // Over the wire, so that no value is shared and nothing that isn't JSON survives.
  for (const operation of JSON.parse(JSON.stringify(operations)) as PatchOperation[]) apply(root, operation);
  return root.document;
}

function apply(root: { document: unknown }, operation: PatchOperation): void {
  const path = parsePointer(operation.path);
  if (path === undefined) throw new Error(`no JSON pointer: ${operation.path}`);
  const parent = ['document', ...path.slice(0, -1)].slice(0, path.length).reduce<unknown>(childOf, root);
  const key = path.at(-1) ?? 'document';
  if (Array.isArray(parent)) return applyToList(parent as unknown[], key, operation);
  if (!isMap(parent)) throw new Error(`${operation.op} ${operation.path}: its parent is missing`);
  if (operation.op !== 'add' && !Object.hasOwn(parent, key)) {
    throw new Error(`${operation.op} ${operation.path}: it is missing`);
  }
  if (operation.op === 'remove') {
    Reflect.deleteProperty(parent, key);
  } else {
    const { value } = operation;
    Object.defineProperty(parent, key, { value, writable: true, enumerable: true, configurable: true });
  }
}

function applyToList(list: unknown[], key: string, operation: PatchOperation): void {
  const index = listIndex(key);
  const end = operation.op === 'add' ? list.length : list.length - 1;
  if (index === undefined || index > end)
    throw new Error(`${operation.op} ${operation.path}: no such element`);
  if (operation.op === 'remove') list.splice(index, 1);
  else list.splice(index, operation.op === 'add' ? 0 : 1, operation.value);
}
