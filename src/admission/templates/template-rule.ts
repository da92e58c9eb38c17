import type { JsonPath } from '../patch/json-pointer.ts';
import {
  EACH,
  parsePattern,
  type PathPattern,
  samePattern,
  splitPattern,
  startsWith,
} from './path-pattern.ts';

/** As it is written in the configuration: JSON pointers in which `*` stands for all members of a map or list. */
export interface PlaceText {
  /** The map of annotations that reach the pods. It is made where it is missing. */
  readonly annotations: string;
  /** What decides what those pods run; the stamp holds for nothing else. Where there is none, there is no template. */
  readonly content: string;
  /** There is only a template where this is there too. */
  readonly requires?: string | undefined;
  /** Parts of the content that others may change, because they don't decide what the pods run. */
  readonly without?: readonly string[] | undefined;
}

/**
 * A {@link PlaceText}, parsed. `anchor` is what both paths have in common as far as there is a `*` in them: each object that
 * it stands for is one template, and the rest are plain paths from there.
 */
export interface PlaceRule {
  readonly anchor: PathPattern;
  readonly annotations: JsonPath;
  readonly content: JsonPath;
  readonly requires: JsonPath;
  /** From the content. */
  readonly without: readonly JsonPath[];
}

/**
 * Finds pod templates by their look, anywhere below the object: a map whose `spec.containers` is a list, at the end of a
 * path that ends so.
 */
export interface SearchRule {
  readonly pathEndsWith: PathPattern;
}

export interface ResourceRules {
  readonly places: readonly PlaceRule[];
  readonly searches: readonly SearchRule[];
}

export interface RuleProblem {
  /** Which key of {@link PlaceText}. */
  readonly key: keyof PlaceText;
  readonly message: string;
}

export type PlaceRuleResult =
  | { readonly ok: true; readonly rule: PlaceRule }
  | { readonly ok: false; readonly problems: readonly RuleProblem[] };

const NO_POINTER =
  'must be a JSON pointer such as /spec/template/spec, with * for all members of a map or list';
const OWN_PLACES = ['metadata', 'status'];

export function parsePlaceRule(text: PlaceText): PlaceRuleResult {
  const problems: RuleProblem[] = [];
  const parse = (key: keyof PlaceText, pointer: string): PathPattern => {
    const pattern = parsePattern(pointer);
    if (pattern === undefined || pattern.length === 0) problems.push({ key, message: NO_POINTER });
    return pattern ?? [];
  };
  const annotations = parse('annotations', text.annotations);
  const content = parse('content', text.content);
  const requires = text.requires === undefined ? undefined : parse('requires', text.requires);
  const without = (text.without ?? []).map((pointer) => parse('without', pointer));
  if (problems.length > 0) return { ok: false, problems };

  const { head: anchor, tail: annotationsTail } = splitPattern(annotations);
  const { head, tail: contentTail } = splitPattern(content);
  if (!samePattern(anchor, head)) {
    problems.push({ key: 'content', message: 'must be the same as annotations up to the last *' });
  }
  if (annotationsTail.length === 0) {
    problems.push({
      key: 'annotations',
      message: 'must end with the key of the map of annotations, not with *',
    });
  } else if (!mayHoldAnnotations(annotations, content)) {
    problems.push({
      key: 'annotations',
      message: 'must be a map of annotations that controllers copy to pods',
    });
  }
  if (OWN_PLACES.some((own) => content[0] === own)) {
    problems.push({ key: 'content', message: 'must not be in metadata or status: controllers write there' });
  }
  if (
    requires !== undefined &&
    (!startsWith(requires, anchor) || requires.lastIndexOf(EACH) >= anchor.length)
  ) {
    problems.push({ key: 'requires', message: 'must be the same as annotations up to the last *' });
  }
  if (
    without.some(
      (each) =>
        each.length <= content.length ||
        !startsWith(each, content) ||
        each.lastIndexOf(EACH) >= anchor.length,
    )
  ) {
    problems.push({ key: 'without', message: 'must be below content, and have no more *' });
  }
  if (problems.length > 0) return { ok: false, problems };
  const fromAnchor = (pattern: PathPattern): JsonPath => splitPattern(pattern).tail;
  return {
    ok: true,
    rule: {
      anchor,
      annotations: annotationsTail,
      content: contentTail,
      requires: requires === undefined ? [] : fromAnchor(requires),
      without: without.map((each) => fromAnchor(each).slice(contentTail.length)),
    },
  };
}

function mayHoldAnnotations(annotations: PathPattern, content: PathPattern): boolean {
  if (startsWith(content, annotations)) return false;
  return (
    OWN_PLACES.every((own) => annotations[0] !== own) || samePattern(annotations, ['metadata', 'annotations'])
  );
}
