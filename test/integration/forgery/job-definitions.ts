/** Schemas and definitions of custom resources with pod templates. */

/** Keeps whatever there is. */
export const OPEN = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
/** Of a PyTorchJob, as controller-gen has it without `generateEmbeddedObjectMeta`. */
export const PRUNING = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        pytorchReplicaSpecs: {
          type: 'object',
          additionalProperties: {
            type: 'object',
            properties: {
              template: { type: 'object', properties: { metadata: { type: 'object' }, spec: OPEN } },
            },
          },
        },
      },
    },
  },
};

export function definition(group: string, kind: string, openAPIV3Schema: object): object {
  const singular = kind.toLowerCase();
  const names = { kind, plural: `${singular}s`, singular, listKind: `${kind}List` };
  const versions = [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }];
  // The API server guards groups of this name.
  const annotations = group.endsWith('.k8s.io') ? { 'api-approved.kubernetes.io': 'unapproved, a test' } : {};
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${singular}s.${group}`, annotations },
    spec: { group, scope: 'Namespaced', names, versions },
  };
}
