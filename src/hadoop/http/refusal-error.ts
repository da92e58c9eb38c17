import { TokenServiceError } from '../../delegation-tokens/token-service.ts';
import { classifyHadoopReply } from '../classify-hadoop-reply.ts';
import type { HadoopRefusal } from '../classify-hadoop-reply.ts';
import type { HadoopHttpReply } from './hadoop-http-client.ts';

/** Why the server did not do it, or undefined when it did (2xx). */
export function refusalOf(reply: HadoopHttpReply): HadoopRefusal | undefined {
  const refusal = classifyHadoopReply({
    status: reply.status,
    statusMessage: reply.statusMessage,
    contentType: reply.contentType,
    body: reply.body.reveal(),
  });
  if (refusal === undefined || reply.redirectOrigin === undefined) return refusal;
  return { ...refusal, message: `redirect to ${reply.redirectOrigin}` };
}

/** @param isRepeatable false for what must not be done twice: a 5xx does not say how far the server got. */
export function refusalError(
  operation: string,
  endpoint: string,
  refusal: HadoopRefusal,
  isRepeatable = true,
): TokenServiceError {
  const said = refusal.exception === undefined ? refusal.message : `${refusal.exception}: ${refusal.message}`;
  return new TokenServiceError(refusal.failure, `${operation} at ${endpoint}: ${said}`, {
    endpoint,
    ...(refusal.exception === undefined ? {} : { exception: refusal.exception }),
    ...(refusal.fix === undefined ? {} : { fix: refusal.fix }),
    mayHaveActed: !isRepeatable && refusal.failure === 'unreachable',
  });
}
