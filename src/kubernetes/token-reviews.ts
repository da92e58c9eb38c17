import type { ReviewServiceAccountToken } from '../authentication/kubernetes-access.ts';
import { describeFailure } from './describe-failure.ts';
import { errorOfStatus } from './error-of-status.ts';
import { jsonOfReply } from './json-of-reply.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import { readTokenReview, readTokenReviewAnswer } from './read-reply.ts';
import type { Reply } from './exchange.ts';
import type { Transport } from './transport.ts';

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews';
const WHAT = { request: 'TokenReview', rule: '`create` on `tokenreviews` of `authentication.k8s.io`' };

export interface TokenReviewsOptions {
  readonly transport: Pick<Transport, 'ask'>;
  /** URL of the API server. */
  readonly server: string;
}

export interface TokenReviews {
  readonly reviewServiceAccountToken: ReviewServiceAccountToken;
  /** Resolves if the API server answers, accepts our credentials and lets us review tokens. One TokenReview. */
  readonly checkReady: (options?: { readonly signal?: AbortSignal }) => Promise<void>;
}

/**
 * The one call that the first request of each pod costs, so without client-node's classes, which look at each member of the
 * question and the answer by a table of types.
 */
export function createTokenReviews({ transport, server }: TokenReviewsOptions): TokenReviews {
  const review = async (spec: object, signal: AbortSignal | undefined): Promise<unknown> => {
    const body = JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec });
    const ask = () => transport.ask({ url: server + PATH, body, signal });
    return readReply(await describeFailure(WHAT, signal, ask));
  };
  return {
    reviewServiceAccountToken: async (serviceAccountToken, audiences, { signal } = {}) => {
      // No audience means the API server's own.
      if (audiences.length === 0 || audiences.includes(''))
        throw new RangeError('a TokenReview needs an audience');
      const token = serviceAccountToken.reveal();
      return readTokenReview(await review({ token, audiences }, signal), token);
    },
    checkReady: async ({ signal } = {}) => {
      // The answer is always no; that there is one is what counts.
      readTokenReviewAnswer(await review({ token: 'readiness-check' }, signal));
    },
  };
}

function readReply(reply: Reply): unknown {
  const isAnswer = reply.status >= 200 && reply.status < 300;
  if (!isAnswer) throw errorOfStatus(WHAT, reply.status, reply.retryAfter);
  const json = jsonOfReply(reply);
  if (json === undefined)
    throw new KubernetesApiError('bad-reply', 'TokenReview: the reply is not what a Kubernetes API sends');
  return json;
}
