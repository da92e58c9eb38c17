import type { PlaceText } from './template-rule.ts';

/** Of the configuration, too: a resource by its plural and group, as `kubectl api-resources` and RBAC have it. */
export interface ResourceTemplates {
  /** `tfjobs.kubeflow.org`; of the core group the bare plural. */
  readonly resource: string;
  readonly places: readonly PlaceText[];
}

/**
 * A PodTemplateSpec (k8s.io/api, core/v1/types.go): its annotations reach the pods, its spec decides what they run. Its
 * other metadata is not covered, so labels may be touched and `kubectl rollout restart` may write its annotation.
 */
export function podTemplateAt(pointer: string): PlaceText {
  return { annotations: `${pointer}/metadata/annotations`, content: `${pointer}/spec` };
}

/** Of Kubernetes itself (k8s.io/api, apps/v1, batch/v1 and core/v1, types.go). They can't be configured otherwise. */
export const BUILT_IN_WORKLOADS: readonly ResourceTemplates[] = [
  { resource: 'deployments.apps', places: [podTemplateAt('/spec/template')] },
  { resource: 'replicasets.apps', places: [podTemplateAt('/spec/template')] },
  { resource: 'statefulsets.apps', places: [podTemplateAt('/spec/template')] },
  { resource: 'daemonsets.apps', places: [podTemplateAt('/spec/template')] },
  { resource: 'jobs.batch', places: [podTemplateAt('/spec/template')] },
  // spec.jobTemplate.metadata goes to the Job itself, not to its pods.
  { resource: 'cronjobs.batch', places: [podTemplateAt('/spec/jobTemplate/spec/template')] },
  { resource: 'replicationcontrollers', places: [podTemplateAt('/spec/template')] },
  { resource: 'podtemplates', places: [podTemplateAt('/template')] },
];
