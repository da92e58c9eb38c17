import { podTemplateAt, type ResourceTemplates } from './built-in-workloads.ts';
import type { PlaceText } from './template-rule.ts';

/*
 * Where operators that are met beside Hadoop have their templates. Read in their own sources, which are named; a resource
 * that is configured replaces its entry here.
 */

/**
 * kubeflow/training-operator v1.9.0, pkg/apis/kubeflow.org/v1/*_types.go: a map from replica type (Master, Worker, PS…) to
 * a ReplicaSpec with a PodTemplateSpec. Its CRDs are generated with `generateEmbeddedObjectMeta=true` (Makefile), so they
 * keep the template's annotations. The operator makes the pods itself.
 * MPIJob v2beta1 is kubeflow/mpi-operator's (pkg/apis/kubeflow/v2beta1/types.go, same option): the same paths as v1. Its
 * launcher is a Job, and of a template that the operator has added to.
 */
const TRAINING_JOBS: readonly ResourceTemplates[] = [
  { resource: 'tfjobs.kubeflow.org', places: [podTemplateAt('/spec/tfReplicaSpecs/*/template')] },
  { resource: 'pytorchjobs.kubeflow.org', places: [podTemplateAt('/spec/pytorchReplicaSpecs/*/template')] },
  { resource: 'mpijobs.kubeflow.org', places: [podTemplateAt('/spec/mpiReplicaSpecs/*/template')] },
  { resource: 'xgboostjobs.kubeflow.org', places: [podTemplateAt('/spec/xgbReplicaSpecs/*/template')] },
  { resource: 'paddlejobs.kubeflow.org', places: [podTemplateAt('/spec/paddleReplicaSpecs/*/template')] },
  { resource: 'jaxjobs.kubeflow.org', places: [podTemplateAt('/spec/jaxReplicaSpecs/*/template')] },
];

/**
 * kubeflow/notebooks, branch notebooks-v1, components/notebook-controller: NotebookTemplateSpec (api/v1/notebook_types.go)
 * has a spec and no metadata. The controller copies the Notebook's own annotations to the pods' template, apart from those
 * with `kubectl` or `notebook` in their key (controllers/notebook_controller.go, generateStatefulSet), so that is where
 * the stamp has to be; there too it says nothing but for this content under this name. The StatefulSet's template is one
 * that the controller has added to (NB_PREFIX, a port, fsGroup).
 */
const NOTEBOOK: ResourceTemplates = {
  resource: 'notebooks.kubeflow.org',
  places: [{ annotations: '/metadata/annotations', content: '/spec/template/spec' }],
};

/**
 * kubeflow/spark-operator, api/v1beta2/sparkapplication_types.go (SparkPodSpec.Annotations), which
 * internal/controller/sparkapplication/submission.go hands to spark-submit as `spark.kubernetes.driver.annotation.*` and
 * `…executor.annotation.*`. What the pods run comes from all of the spec: image, mainClass, mainApplicationFile, arguments,
 * sparkConf, hadoopConf, deps, volumes, and both pod specs with their own templates. The operator writes to the status
 * alone; its defaults come from its mutating webhook, at creation. `suspend` only says when.
 */
function sparkPlaces(spec: string): readonly PlaceText[] {
  return ['driver', 'executor'].map((role) => ({
    annotations: `${spec}/${role}/annotations`,
    content: spec,
    requires: `${spec}/${role}`,
    without: [`${spec}/suspend`],
  }));
}

/**
 * A ScheduledSparkApplication's template is the spec of each SparkApplication that it makes (internal/controller/
 * scheduledsparkapplication/controller.go), so both have the same digest.
 */
const SPARK: readonly ResourceTemplates[] = [
  { resource: 'sparkapplications.sparkoperator.k8s.io', places: sparkPlaces('/spec') },
  { resource: 'scheduledsparkapplications.sparkoperator.k8s.io', places: sparkPlaces('/spec/template') },
];

/**
 * argoproj/argo-workflows, pkg/apis/workflow/v1alpha1/workflow_types.go: pods are made of /spec/templates, and each gets
 * the annotations of /spec/podMetadata (workflow/controller/workflowpod.go, addMetadata; those of its own template win).
 * What they run comes from all of the spec: templates, arguments, podSpecPatch, volumes, service account. `suspend` and
 * `shutdown` are how `argo suspend` and `argo stop` work; they run nothing.
 * A CronWorkflow's workflowSpec is the spec of each Workflow (workflow/common/convert.go, toWorkflow), so both have the
 * same digest. Templates of another object (workflowTemplateRef, templateRef) are not covered: who may write that
 * WorkflowTemplate is in the same trust as who may write a ConfigMap that the pods read.
 */
function argoPlace(spec: string): PlaceText {
  return {
    annotations: `${spec}/podMetadata/annotations`,
    content: spec,
    without: [`${spec}/suspend`, `${spec}/shutdown`],
  };
}

const ARGO: readonly ResourceTemplates[] = [
  { resource: 'workflows.argoproj.io', places: [argoPlace('/spec')] },
  { resource: 'workflowtemplates.argoproj.io', places: [argoPlace('/spec')] },
  { resource: 'cronworkflows.argoproj.io', places: [argoPlace('/spec/workflowSpec')] },
];

export const KNOWN_CUSTOM_RESOURCES: readonly ResourceTemplates[] = [
  ...TRAINING_JOBS,
  NOTEBOOK,
  ...SPARK,
  ...ARGO,
];
