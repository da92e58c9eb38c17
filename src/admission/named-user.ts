import type { TemplatePlace } from './decorator-parts.ts';
import { annotationsOf, textIn } from './object-metadata.ts';

/** Whom the object names, at its top or in all its templates alike: counts for delegates only. */
export function namedUserOf(
  { object }: { readonly object: unknown },
  places: readonly TemplatePlace[],
  annotation: string,
): string | undefined {
  const top = textIn(annotationsOf(object), annotation);
  if (top !== undefined) return top;
  const named = new Set(places.map(({ annotationsNow }) => textIn(annotationsNow, annotation)));
  return named.size === 1 ? [...named][0] : undefined;
}
