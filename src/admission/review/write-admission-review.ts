import type { AdmissionDecision } from './admission-decision.ts';
import { oneLine } from './one-line.ts';

/** Of what a person reads when we say no. */
export const MAX_MESSAGE_LENGTH = 1_024;
/** Kubernetes asks for no more, and cuts the warnings of all webhooks together at 4,096. */
export const MAX_WARNING_LENGTH = 120;
export const MAX_WARNINGS = 8;
const MAX_ANNOTATION_LENGTH = 1_024;

/** Of a qualified name in Kubernetes the part after the `/`: the API server puts the webhook's name before it. */
const ANNOTATION_KEY = /^[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/;

/** `failed`: a fault of ours, about which nobody outside hears more. `oversize`: nobody has looked at it. */
export type ReviewAnswer =
  | AdmissionDecision
  | { readonly outcome: 'failed' }
  | { readonly outcome: 'oversize'; readonly text: string };

/** `status` of what we say no to, for people and programs. */
export interface RefusalStatus {
  readonly code: 403 | 413 | 500 | 503;
  readonly reason: 'Forbidden' | 'RequestEntityTooLarge' | 'InternalError' | 'ServiceUnavailable';
  readonly message: string;
}

/** The AdmissionReview with our response, as JSON. Only `allowed` is allowed. */
export function writeAdmissionReview(uid: string, answer: ReviewAnswer): string {
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid, ...responseOf(answer) },
  });
}

function responseOf(answer: ReviewAnswer): object {
  if (answer.outcome !== 'allowed') {
    return { allowed: false, status: { status: 'Failure', ...statusOf(answer) } };
  }
  const { patch = [], warnings = [], auditAnnotations = {} } = answer;
  const annotations = Object.entries(auditAnnotations);
  return {
    allowed: true,
    // Only together, and never an empty one.
    ...(patch.length === 0
      ? {}
      : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }),
    ...(warnings.length === 0 ? {} : { warnings: bounded(warnings) }),
    ...(annotations.length === 0
      ? {}
      : { auditAnnotations: Object.fromEntries(annotations.map(annotationOf)) }),
  };
}

export function statusOf(answer: Exclude<ReviewAnswer, { readonly outcome: 'allowed' }>): RefusalStatus {
  switch (answer.outcome) {
    case 'refused':
      return { code: 403, reason: 'Forbidden', message: message(answer.text) };
    case 'could-not-check':
      return { code: 503, reason: 'ServiceUnavailable', message: message(answer.text) };
    case 'oversize':
      return { code: 413, reason: 'RequestEntityTooLarge', message: message(answer.text) };
    case 'failed':
      return {
        code: 500,
        reason: 'InternalError',
        message:
          'Kerbridge could not check this because of a fault of its own: try again, and tell its operators',
      };
    default:
      // Types can't hold what a decision may do by mistake, and here a mistake must not pass for an answer.
      throw new RangeError('a decision has an outcome that there is not');
  }
}

function message(text: string): string {
  return oneLine(text, MAX_MESSAGE_LENGTH);
}

function bounded(warnings: readonly string[]): readonly string[] {
  const most = warnings.length > MAX_WARNINGS ? MAX_WARNINGS - 1 : MAX_WARNINGS;
  const left = warnings.length - most;
  return [
    ...warnings.slice(0, most).map((warning) => oneLine(warning, MAX_WARNING_LENGTH)),
    ...(left > 0 ? [`and ${left} more warnings of Kerbridge`] : []),
  ];
}

/** The key is ours, so a wrong one is a fault; the value may quote somebody. */
function annotationOf([key, value]: readonly [string, string]): [string, string] {
  if (!ANNOTATION_KEY.test(key)) throw new RangeError('the key of an audit annotation is no qualified name');
  return [key, oneLine(value, MAX_ANNOTATION_LENGTH)];
}
