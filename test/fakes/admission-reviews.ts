/** The members of `request` in an AdmissionReview, as kube-apiserver 1.36 sends them for a pod. */
export function podRequest(overrides: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    requestKind: { group: '', version: 'v1', kind: 'Pod' },
    requestResource: { group: '', version: 'v1', resource: 'pods' },
    name: 'train-0',
    namespace: 'lab',
    operation: 'CREATE',
    userInfo: { username: 'alice', groups: ['research', 'system:authenticated'] },
    object: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'train-0', namespace: 'lab' },
      spec: { containers: [{ name: 'main', image: 'trainer' }] },
    },
    oldObject: null,
    dryRun: false,
    options: { apiVersion: 'meta.k8s.io/v1', kind: 'CreateOptions' },
    ...overrides,
  };
}

/** The members in the order in which the API server has them. */
export function reviewText(request: unknown): string {
  return JSON.stringify({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request });
}

export const reviewBytes = (overrides: Readonly<Record<string, unknown>> = {}): Buffer =>
  Buffer.from(reviewText(podRequest(overrides)));
