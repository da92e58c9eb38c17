import { exchange, NoAnswerError } from './exchange.ts';
import { judgeProblem, type NotReached, type Refusal } from './judge-problem.ts';
import { apiUrl, type Contact, notReached } from './request-credentials.ts';
import { withoutToken } from './without-token.ts';

export type ReportReply =
  | { readonly outcome: 'reported' }
  /** A server that takes no reports. */
  | { readonly outcome: 'unknown' }
  | Refusal
  | NotReached;

/** Says that Hadoop refused the token with this number, so that the server looks and replaces it. Never rejects. */
export async function reportRejected(contact: Contact, sequenceNumber: string): Promise<ReportReply> {
  try {
    const answer = await exchange({
      ...contact,
      url: apiUrl(contact.url, '/v1/credentials/rejected'),
      method: 'POST',
      headers: {
        Authorization: `Bearer ${contact.serviceAccountToken.reveal()}`,
        Accept: 'application/json',
        'Content-Type': 'application/json',
      },
      body: `{"sequenceNumber":${sequenceNumber}}`,
    });
    if (answer.status >= 200 && answer.status < 300) return { outcome: 'reported' };
    if (answer.status === 404 || answer.status === 405) return { outcome: 'unknown' };
    return judgeProblem(withoutToken(answer, contact.serviceAccountToken));
  } catch (error) {
    return notReached(error instanceof NoAnswerError ? error.message : 'unexpected');
  }
}
