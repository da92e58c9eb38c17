import { withDeadline } from '../concurrency/deadline.ts';
import { TEMPLATE_STAMP_ANNOTATION } from '../identity/stamps/stamp-annotations.ts';
import type { DecoratorParts, DigestedTemplate } from './decorator-parts.ts';
import type { TemplateReview } from './stamp-templates.ts';
import { schemaKeeps } from './templates/schema-keeps.ts';

/** Of the review's own time. */
const TIMEOUT_MS = 1_000;

type Parts = Pick<DecoratorParts, 'readStoredSchemas' | 'onDroppedStamp' | 'clock'>;

/**
 * Of a custom resource whose schema has no word for the annotations of its templates: the API server drops them with the
 * stamp, when all webhooks have seen them, so nobody would hear why its pods speak for nobody. A courtesy: where it can't be
 * found out soon, nothing is said.
 */
export async function warnOfDroppedStamps(
  { kind: { group, version }, resource }: TemplateReview,
  places: readonly DigestedTemplate[],
  { readStoredSchemas, onDroppedStamp, clock }: Parts,
  reviewSignal: AbortSignal,
): Promise<readonly string[]> {
  const onTimeout = () => new Error(`no answer within ${TIMEOUT_MS} ms`);
  let schemas;
  try {
    schemas = await withDeadline(
      { clock, timeoutMs: TIMEOUT_MS, signal: reviewSignal, onTimeout },
      (signal) => readStoredSchemas({ group, version, resource: resource.resource }, { signal }),
    );
  } catch {
    return [];
  }
  const isKept = ({ annotations }: DigestedTemplate): boolean =>
    schemas.every((schema) => schemaKeeps(schema, [...annotations, TEMPLATE_STAMP_ANNOTATION]));
  if (places.every(isKept)) return [];
  onDroppedStamp?.(resource);
  return [
    'Kerbridge: its schema drops what is signed on its templates: its pods will get no Hadoop credentials',
    'Kerbridge: an administrator has to make its CustomResourceDefinition keep the metadata of templates',
  ];
}
