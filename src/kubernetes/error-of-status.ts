import { KubernetesApiError } from './kubernetes-api-error.ts';

/** What a call is for, in the words of the error that it may end with. */
export interface CallDescription {
  readonly request: string;
  /** The right it takes: verb and resource. */
  readonly rule: string;
  /** What the operator can do, by status of the reply. */
  readonly fixes?: Readonly<Record<number, string>>;
}

/** 429, with how long the API server wants to be left alone. */
export class TooManyRequestsError extends KubernetesApiError {
  /** ms; undefined when it did not say. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs: number | undefined) {
    super('too-many-requests', message, { httpStatus: 429 });
    this.retryAfterMs = retryAfterMs;
  }
}

/** For an answer that is none to our question. `retryAfter` is the header as received; a date is not read. */
export function errorOfStatus(
  { request, rule, fixes = {} }: CallDescription,
  status: number,
  retryAfter?: string,
): KubernetesApiError {
  const message = `${request}: the Kubernetes API answered ${status}`;
  if (status === 401) {
    const fix =
      'our own credentials are not accepted: check the user of the kubeconfig, or this pod’s service account';
    return new KubernetesApiError('unauthorized', message, { httpStatus: status, fix });
  }
  if (status === 403) {
    const fix = fixes[status] ?? `grant our service account ${rule} with a ClusterRole`;
    return new KubernetesApiError('forbidden', message, { httpStatus: status, fix });
  }
  if (status === 429) {
    const seconds = /^\d{1,6}$/.test(retryAfter ?? '') ? Number(retryAfter) : undefined;
    return new TooManyRequestsError(message, seconds === undefined ? undefined : seconds * 1000);
  }
  const fix = fixes[status];
  return new KubernetesApiError(status >= 500 ? 'server-error' : 'bad-reply', message, {
    httpStatus: status,
    ...(fix === undefined ? {} : { fix }),
  });
}
