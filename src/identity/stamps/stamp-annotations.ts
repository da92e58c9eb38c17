/** On pods only: who the pod speaks for, signed. What `serve` believes. */
export const POD_STAMP_ANNOTATION = 'kerbridge.dev/stamp';
/** On the template of a workload, and on the pods that controllers copy it to, where it means nothing. */
export const TEMPLATE_STAMP_ANNOTATION = 'kerbridge.dev/template-stamp';
/** Goes with a pod stamp, so that a selector finds the pods that have one; the value is `true`. */
export const STAMPED_LABEL = 'kerbridge.dev/stamped';
