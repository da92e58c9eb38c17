import type { Secret } from '../observability/secret.ts';
import type { HttpAnswer } from './exchange.ts';

/**
 * The answer without the service-account token: a proxy or server that is set up wrongly says back what it was sent, and
 * parts of an answer are shown to people. The body of a 200 is left as it is: nothing of that is shown.
 */
export function withoutToken(answer: HttpAnswer, serviceAccountToken: Secret<string>): HttpAnswer {
  const hide = (text: string): string => text.replaceAll(serviceAccountToken.reveal(), '[redacted]');
  const headers: HttpAnswer['headers'] = { ...answer.headers };
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string') headers[name] = hide(value);
  }
  return {
    status: answer.status,
    headers,
    body: answer.status === 200 ? answer.body : Buffer.from(hide(answer.body.toString('latin1')), 'latin1'),
  };
}
