import type { JsonObject } from '../../src/admission/look-ups.ts';
import { annotationsOf, metadataText } from '../../src/admission/object-metadata.ts';
import { verifyPodStamp } from '../../src/identity/stamps/pod-stamp.ts';
import { POD_STAMP_ANNOTATION } from '../../src/identity/stamps/stamp-annotations.ts';
import { publicKeysOf } from '../../src/identity/stamps/stamp-keys.ts';
import { type DecoratorWorld, type Outcome, templateAnnotations, workload } from './decorator-world.ts';

/** What the pod stamp says, or why it is none. */
export function stampOf(world: DecoratorWorld, object: JsonObject | undefined) {
  const text = annotationsOf(object)[POD_STAMP_ANNOTATION] ?? '';
  const opened = verifyPodStamp(text, publicKeysOf({ keys: [world.keys.signing] }));
  return opened.outcome === 'valid' ? opened.stamp : opened.reason;
}

export function reasonOf({ decision }: Outcome): string {
  if (decision.outcome === 'allowed') return 'allowed';
  return decision.outcome === 'refused' ? decision.reason : decision.dependency;
}

/** Another image in the template. */
export const withImage =
  (image: string) =>
  (object: JsonObject): JsonObject => {
    const other = workload(String(object['kind']), String(metadataText(object, 'name')), image);
    const spec = object['spec'] as JsonObject;
    const template = spec['template'] as JsonObject;
    const fresh = (other['spec'] as JsonObject)['template'] as JsonObject;
    return { ...object, spec: { ...spec, template: { ...template, spec: fresh['spec'] } } };
  };

export const withMetadata =
  (change: Record<string, unknown>) =>
  (object: JsonObject): JsonObject => ({
    ...object,
    metadata: { ...(object['metadata'] as JsonObject), ...change },
  });

export const withTemplateAnnotations =
  (change: (before: Readonly<Record<string, string>>) => Record<string, unknown>) =>
  (object: JsonObject): JsonObject => {
    const spec = object['spec'] as JsonObject;
    const template = spec['template'] as JsonObject;
    const annotations = change(templateAnnotations(object));
    return { ...object, spec: { ...spec, template: { ...template, metadata: { annotations } } } };
  };
