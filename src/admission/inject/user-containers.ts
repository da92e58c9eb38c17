import type { JsonPath } from '../patch/json-pointer.ts';
import { childOf, isList } from '../patch/json-value.ts';
import { INIT_CONTAINER, SIDECAR_CONTAINER } from './injection.ts';

export interface UserContainer {
  readonly path: JsonPath;
  readonly name: string;
  readonly container: unknown;
}

/** All that are not ours by their names, those that run first included. */
export function userContainersOf(pod: unknown): readonly UserContainer[] {
  return ['initContainers', 'containers'].flatMap((list) => {
    const containers = childOf(childOf(pod, 'spec'), list);
    if (!isList(containers)) return [];
    return containers.flatMap((container, index) => {
      const name = childOf(container, 'name');
      const isOurs = name === INIT_CONTAINER || name === SIDECAR_CONTAINER;
      // One without a name is refused by the API server.
      return typeof name !== 'string' || isOurs
        ? []
        : [{ path: ['spec', list, String(index)], name, container }];
    });
  });
}
