import { differences } from './differences.ts';
import { type JsonPath, showPointer } from './json-pointer.ts';
import { childOf, describeType, isList, isMap, type JsonValue, listIndex, sameJson } from './json-value.ts';
import type { PatchOperation } from './patch-operation.ts';

export type DraftResult =
  | {
      readonly ok: true;
      /** None if the object is as it should be. */
      readonly operations: readonly PatchOperation[];
      /** The object with all of them applied. */
      readonly wanted: unknown;
    }
  | { readonly ok: false; readonly problem: string };

type Container = Record<string, unknown> | unknown[];

/**
 * An object on its way to what it should be. Edits are made on copies of what they touch; the patch is what then differs
 * from the original, so edits that say what is so already, or take each other back, leave nothing in it.
 *
 * The first edit that can't be made (there is a list where a map should be) is a problem for {@link finish}; what follows
 * it is left undone.
 */
export class Draft {
  readonly #original: unknown;
  #current: unknown;
  /** Of each container that is ours to change (it is `container`), what it is a copy of. */
  readonly #own = new WeakMap<object, { readonly container: Container; readonly origin: unknown }>();
  #problem: string | undefined;

  constructor(original: unknown) {
    this.#original = original;
    this.#current = original;
  }

  /** Missing maps on the way are made, also where there is null. */
  set(path: JsonPath, value: JsonValue): void {
    const last = path.at(-1);
    const parent = this.#open(path.slice(0, -1));
    if (last === undefined || parent === undefined)
      return this.#refuse(path, 'cannot be replaced as a whole');
    if (isList(parent)) {
      const index = listIndex(last);
      if (index === undefined || index >= parent.length)
        return this.#refuse(path, 'is beyond the end of its list');
      parent[index] = value;
    } else {
      define(parent, last, value);
    }
  }

  /** What isn't there needs no removal. */
  remove(path: JsonPath): void {
    const last = path.at(-1);
    if (last === undefined) return this.#refuse(path, 'cannot be removed');
    if (this.get(path) === undefined) return;
    const parent = this.#open(path.slice(0, -1));
    if (parent === undefined) return;
    if (isList(parent)) parent.splice(Number(last), 1);
    else Reflect.deleteProperty(parent, last);
  }

  /** A missing list is made. */
  insert(list: JsonPath, element: JsonValue, where: 'front' | 'back'): void {
    const elements = this.#openList(list);
    if (where === 'front') elements?.unshift(element);
    else elements?.push(element);
  }

  /**
   * Puts an element into a list whose elements go by their `name` (containers, volumes, environment). One of that name is
   * replaced where it stands: somebody else may have put something before it, and a second run changes nothing.
   */
  put(
    list: JsonPath,
    element: { readonly name: string; readonly [key: string]: JsonValue },
    where: 'front' | 'back',
  ): void {
    const now = this.get(list);
    const index = isList(now) ? now.findIndex((each) => childOf(each, 'name') === element.name) : -1;
    if (index === -1) this.insert(list, element, where);
    else if (!sameJson(this.get([...list, String(index)]), element))
      this.set([...list, String(index)], element);
  }

  /** As it is after the edits so far. */
  get(path: JsonPath): unknown {
    return path.reduce(childOf, this.#current);
  }

  finish(): DraftResult {
    if (this.#problem !== undefined) return { ok: false, problem: this.#problem };
    const operations = differences({
      original: this.#original,
      wanted: this.#current,
      originOf: (container) => this.#own.get(container)?.origin,
    });
    return { ok: true, operations, wanted: this.#current };
  }

  #refuse(path: JsonPath, why: string): void {
    this.#problem ??= `${showPointer(path)} ${why}`;
  }

  #openList(path: JsonPath): unknown[] | undefined {
    if (this.#problem !== undefined) return undefined;
    const now = this.get(path);
    if (now === undefined || now === null) {
      this.set(path, []);
    } else if (!isList(now)) {
      this.#refuse(path, `is ${describeType(now)}, not a list`);
      return undefined;
    }
    const opened = this.#open(path);
    return isList(opened) ? opened : undefined;
  }

  /** The container at that path, as a copy that is ours to change. */
  #open(path: JsonPath): Container | undefined {
    if (this.#problem !== undefined) return undefined;
    let opened = this.#take(this.#current, []);
    if (opened === undefined) return undefined;
    this.#current = opened;
    for (const [index, segment] of path.entries()) {
      const here = path.slice(0, index + 1);
      if (isList(opened) && childOf(opened, segment) === undefined) {
        this.#refuse(here, 'is not in its list');
        return undefined;
      }
      const child = this.#take(childOf(opened, segment), here);
      if (child === undefined) return undefined;
      if (isList(opened)) opened[Number(segment)] = child;
      else define(opened, segment, child);
      opened = child;
    }
    return opened;
  }

  #take(value: unknown, path: JsonPath): Container | undefined {
    if (value === undefined || value === null) return this.#keep({}, undefined);
    if (isList(value)) return this.#own.get(value)?.container ?? this.#keep([...value], value);
    if (isMap(value)) return this.#own.get(value)?.container ?? this.#keep({ ...value }, value);
    this.#refuse(path, `is ${describeType(value)}, not a map`);
    return undefined;
  }

  #keep(container: Container, origin: unknown): Container {
    this.#own.set(container, { container, origin });
    return container;
  }
}

/** An assignment to `__proto__` would set the prototype instead. */
function define(map: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}
