import { replyOf } from './api-reply.ts';
import { type CallDescription, errorOfStatus } from './error-of-status.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';

/** What `work` gives. What it rejects with, becomes the failure of that call; or the reason of the signal. */
export async function describeFailure<T>(
  what: CallDescription,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    throw wrapError(error, what);
  }
}

function wrapError(error: unknown, what: CallDescription): KubernetesApiError {
  const { request } = what;
  if (error instanceof KubernetesApiError) {
    return new KubernetesApiError(error.code, `${request}: ${error.message}`, {
      ...(error.httpStatus === undefined ? {} : { httpStatus: error.httpStatus }),
      ...(error.fix === undefined ? {} : { fix: error.fix }),
    });
  }
  const { status } = replyOf(error);
  if (status === undefined) {
    return new KubernetesApiError('bad-reply', `${request}: the reply is not what a Kubernetes API sends`);
  }
  return errorOfStatus(what, status);
}
