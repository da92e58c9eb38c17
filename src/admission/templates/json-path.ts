import { MAX_SEGMENTS, EACH, parsePattern, type PathPattern } from './path-pattern.ts';

/** A path of Kube2Hadoop's paths.yaml. */
export type JsonPathResult =
  | {
      readonly ok: true;
      /** Anywhere below the object, rather than from its root. */
      readonly anywhere: boolean;
      readonly segments: PathPattern;
    }
  | { readonly ok: false; readonly problem: string };

const NAME = /^[^.[\]{}'"\s\\*$]+(?:\\\.[^.[\]{}'"\s\\*$]*)*/;
const BRACKETS = /^\[(?:'(?<single>[^']*)'|"(?<double>[^"]*)"|(?<index>\d+)|(?<each>\*))\]/;

/**
 * What people write there, of the JSONPath of Kubernetes' client-go (which Kube2Hadoop parsed with, braces added) and of
 * JSON pointers: `..metadata.annotations`, `$.spec.template`, `.spec['a.b'][*]`, `/spec/template`. Filters, slices and
 * unions are refused, and `..` that isn't at the start.
 */
export function parseJsonPath(text: string): JsonPathResult {
  const path = text.trim().replace(/^\{(?<inner>.*)\}$/, '$<inner>');
  if (path.startsWith('/')) {
    const segments = path === '/' ? [] : parsePattern(path);
    return segments === undefined
      ? { ok: false, problem: 'it is no JSON pointer' }
      : { ok: true, anywhere: false, segments };
  }
  let rest = path.replace(/^\$/, '');
  const anywhere = rest.startsWith('..');
  if (anywhere) rest = rest.slice(rest.startsWith('..[') ? 2 : 1);
  else if (rest !== '' && !/^[.[]/.test(rest)) {
    return { ok: false, problem: 'it starts with none of "..", ".", "$", "[" and "/"' };
  }
  if (rest === '.') rest = '';
  const segments: (string | typeof EACH)[] = [];
  while (rest !== '') {
    const step = nextStep(rest);
    if (step === undefined)
      return { ok: false, problem: 'only names, [n], [*] and a ".." at its start can be taken over' };
    segments.push(step.segment);
    if (segments.length > MAX_SEGMENTS)
      return { ok: false, problem: `it has more than ${MAX_SEGMENTS} steps` };
    rest = rest.slice(step.length);
  }
  return { ok: true, anywhere, segments };
}

function nextStep(
  rest: string,
): { readonly segment: string | typeof EACH; readonly length: number } | undefined {
  if (rest.startsWith('.')) {
    if (rest.startsWith('.*')) return { segment: EACH, length: 2 };
    const name = NAME.exec(rest.slice(1))?.[0];
    return name === undefined ? undefined : { segment: name.replaceAll('\\.', '.'), length: name.length + 1 };
  }
  const brackets = BRACKETS.exec(rest);
  if (brackets === null) return undefined;
  const { single, double, index, each } = brackets.groups ?? {};
  const segment = each === undefined ? (single ?? double ?? index ?? '') : EACH;
  return { segment, length: brackets[0].length };
}
