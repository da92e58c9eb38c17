import type { DigestedTemplate } from './decorator-parts.ts';
import { annotationsOf, textIn } from './object-metadata.ts';

/** Whom the object names, at its top or in all its templates alike: counts for delegates only. */
export function namedUserOf(
  { object }: { readonly object: unknown },
  places: readonly DigestedTemplate[],
  annotation: string,
): string | undefined {
  const top = textIn(annotationsOf(object), annotation);
  if (top !== undefined) return top;
  const named = new Set(places.map(({ annotationsNow }) => annotationsNow.get(annotation)));
  return named.size === 1 ? [...named][0] : undefined;
}
