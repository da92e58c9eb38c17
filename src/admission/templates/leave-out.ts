import { Draft } from '../patch/draft.ts';
import type { JsonPath } from '../patch/json-pointer.ts';
import { isMap, type JsonMap } from '../patch/json-value.ts';

/**
 * Content without some of its parts, which others may write. A map on the way to one that is empty without it goes with
 * it, as does null: otherwise making `podMetadata` to put annotations there would change the content.
 */
export function leaveOut(content: JsonMap, paths: readonly JsonPath[]): unknown {
  const draft = new Draft(content);
  for (const path of paths) {
    draft.remove(path);
    for (let length = path.length - 1; length > 0; length -= 1) {
      const holder = path.slice(0, length);
      const value = draft.get(holder);
      if (value === undefined) continue;
      const isEmpty = value === null || (isMap(value) && Object.keys(value).length === 0);
      // Elements of a list stay: the others would move.
      if (!isEmpty || !isMap(draft.get(holder.slice(0, -1)))) break;
      draft.remove(holder);
    }
  }
  return draft.get([]);
}
