import { formatPointer, type JsonPath, showPointer } from '../patch/json-pointer.ts';
import { childOf, describeType, isList, isMap, type JsonMap } from '../patch/json-value.ts';
import { MAX_DEPTH } from './canonical-json.ts';
import { leaveOut } from './leave-out.ts';
import { EACH, endsWith, type PathPattern } from './path-pattern.ts';
import type { PlaceRule, SearchRule } from './template-rule.ts';
import { rulesFor, type TemplateTable } from './template-table.ts';

/** A template of pods within an object. */
export interface TemplatePlace {
  /** For people: where the template is, as a JSON pointer. */
  readonly pointer: string;
  /** Where the map of annotations is that reaches the pods, or where it has to be made. */
  readonly annotations: JsonPath;
  readonly annotationsNow: ReadonlyMap<string, string>;
  /** What the stamp's digest covers. */
  readonly content: unknown;
}

export type FindTemplatesResult =
  | { readonly ok: true; readonly places: readonly TemplatePlace[] }
  | { readonly ok: false; readonly problem: string };

export interface FindTemplatesOptions {
  /** `deployments.apps`; of the core group the bare plural. */
  readonly resource: string;
  /** As the API server has it, of whoever's making. */
  readonly object: unknown;
  readonly table: TemplateTable;
}

export const MAX_PLACES = 200;
/** Maps and lists that are looked at to find them. */
const MAX_VISITED = 100_000;

interface Found {
  readonly annotations: JsonPath;
  readonly content: JsonPath;
  readonly without: readonly JsonPath[];
}

interface Node {
  readonly path: JsonPath;
  readonly value: unknown;
}

/** A sentence about the object: it is its author who has to change it. */
class CannotFind extends Error {
  override readonly name = 'CannotFind';
}

function notAMap(value: unknown, path: JsonPath): CannotFind {
  return new CannotFind(`${showPointer(path)} is ${describeType(value)}, not a map`);
}

/** None for a resource of which the table knows nothing. */
export function findTemplates({ resource, object, table }: FindTemplatesOptions): FindTemplatesResult {
  const rules = rulesFor(table, resource);
  if (rules === undefined) return { ok: true, places: [] };
  try {
    if (!isMap(object)) throw notAMap(object, []);
    const found = new Map<string, Found>();
    const add = (place: Found): void => {
      const key = formatPointer(place.annotations);
      if (!found.has(key)) found.set(key, place);
      if (found.size > MAX_PLACES) throw new CannotFind(`it has more than ${MAX_PLACES} templates: split it`);
    };
    for (const rule of rules.places) placesOf(rule, object).forEach(add);
    for (const rule of rules.searches) searchTemplates(rule, object).forEach(add);
    const all = [...found.values()];
    return { ok: true, places: all.map((place) => toPlace(object, place, all)) };
  } catch (error) {
    if (error instanceof CannotFind) return { ok: false, problem: error.message };
    throw error;
  }
}

function placesOf(rule: PlaceRule, object: JsonMap): Found[] {
  const isThere = ({ value }: Node): boolean =>
    [rule.requires, rule.content].every((path) => {
      const there = path.reduce(childOf, value);
      return there !== undefined && there !== null;
    });
  return matches(rule.anchor, object)
    .filter(isThere)
    .map(({ path }) => {
      const content = [...path, ...rule.content];
      return {
        annotations: [...path, ...rule.annotations],
        content,
        without: rule.without.map((each) => [...content, ...each]),
      };
    });
}

/** All that the pattern stands for. */
function matches(pattern: PathPattern, object: JsonMap): Node[] {
  let nodes: Node[] = [{ path: [], value: object }];
  for (const segment of pattern) {
    nodes = nodes.flatMap(({ path, value }) =>
      (segment === EACH ? keysOf(value) : [segment]).map((key) => ({
        path: [...path, key],
        value: childOf(value, key),
      })),
    );
    if (nodes.length > MAX_VISITED)
      throw new CannotFind('it has too many parts to look for templates: split it');
  }
  return nodes;
}

function searchTemplates({ pathEndsWith }: SearchRule, object: JsonMap): Found[] {
  const found: Found[] = [];
  const waiting: Node[] = [{ path: [], value: object }];
  let visited = 0;
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    const { path, value } = node;
    visited += 1;
    if (visited > MAX_VISITED) throw new CannotFind('it has too many parts to look for templates: split it');
    if (path.length > MAX_DEPTH)
      throw new CannotFind(`it is nested more than ${MAX_DEPTH} deep: make it flatter`);
    if (path.length > 0 && isPodTemplate(value)) {
      if (endsWith(path, pathEndsWith)) {
        found.push({
          annotations: [...path, 'metadata', 'annotations'],
          content: [...path, 'spec'],
          without: [],
        });
      }
      // What is within a template belongs to its content.
      continue;
    }
    for (const key of keysOf(value)) {
      const child = childOf(value, key);
      // Controllers write there, and read no templates from there.
      if (path.length === 0 && (key === 'metadata' || key === 'status')) continue;
      if (isMap(child) || isList(child)) waiting.push({ path: [...path, key], value: child });
    }
  }
  return found.toReversed();
}

function isPodTemplate(value: unknown): boolean {
  return isList(['spec', 'containers'].reduce(childOf, value));
}

function keysOf(value: unknown): string[] {
  return isMap(value) || isList(value) ? Object.keys(value) : [];
}

function toPlace(object: JsonMap, place: Found, all: readonly Found[]): TemplatePlace {
  const whole = place.content.reduce<unknown>(childOf, object);
  if (!isMap(whole)) throw notAMap(whole, place.content);
  // All annotations that we write ourselves, whichever template they belong to.
  const left = [...place.without, ...all.map(({ annotations }) => annotations)];
  return {
    pointer: templatePointer(place),
    annotations: place.annotations,
    annotationsNow: annotationsAt(object, place.annotations),
    content: leaveOut(
      whole,
      left.filter((path) => isBelow(path, place.content)).map((path) => path.slice(place.content.length)),
    ),
  };
}

function isBelow(path: JsonPath, parent: JsonPath): boolean {
  return path.length > parent.length && parent.every((segment, index) => segment === path[index]);
}

function annotationsAt(object: JsonMap, path: JsonPath): ReadonlyMap<string, string> {
  let value: unknown = object;
  for (const [index, segment] of path.entries()) {
    const child = childOf(value, segment);
    const isElement = isList(value) && child !== undefined;
    if (!isMap(value) && !isElement) throw notAMap(value, path.slice(0, index));
    if (child === undefined || child === null) return new Map();
    value = child;
  }
  if (!isMap(value)) throw notAMap(value, path);
  return new Map(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** The map that holds both annotations and content; or what holds the annotations, if they are within the content. */
function templatePointer({ annotations, content }: Found): string {
  if (isBelow(annotations, content)) return formatPointer(annotations.slice(0, -1));
  let shared = 0;
  while (annotations[shared] === content[shared]) shared += 1;
  return formatPointer(shared === 0 ? content.slice(0, -1) : content.slice(0, shared));
}
