import type { LiveToken } from '../../delegation-tokens/live-token.ts';
import type { TokenLifeEvent } from '../../delegation-tokens/token-life.ts';
import type { Proof } from '../../delegation-tokens/token-prover.ts';
import { failureFields } from '../../http-api/failure-fields.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { RenewalOutcome } from '../../observability/token-life-metrics.ts';
import type { TokenStoreEvent } from '../../stores/kubernetes-store.ts';

/** Counts what becomes of tokens, and logs what an operator may want to follow. Never what authenticates. */
export function createTokenLifeLog(
  logger: Logger,
  metrics: Pick<Metrics, 'delegationTokenRenewals' | 'delegationTokensLost' | 'delegationTokenCancels'>,
): (event: TokenLifeEvent) => void {
  return (event) => {
    switch (event.type) {
      case 'renewal': {
        const { cluster } = event.live.slot.source;
        metrics.delegationTokenRenewals.inc({ cluster, outcome: RENEWAL_OUTCOMES[event.proof.outcome] });
        const fields = describe(event.live);
        if (event.proof.outcome === 'unanswered') {
          const { error } = event.proof;
          const { failures } = event.live;
          // One line for the first of a row of failures, then for every tenfold.
          if (/^10*$/.test(String(failures))) {
            logger.warn('Token could not be renewed; it is tried again', {
              ...fields,
              failures,
              error,
              ...failureFields(error),
            });
          }
        } else logger.debug('Token renewed', { ...fields, outcome: event.proof.outcome });
        return;
      }
      case 'dead': {
        const { live, why } = event;
        if (why === 'ended') {
          logger.info('Token has come to its end', describe(live));
          return;
        }
        metrics.delegationTokensLost.inc({ cluster: live.slot.source.cluster, reason: why });
        logger.warn('Token is dead before its time; who asks gets another one', {
          ...describe(live),
          reason: why,
          pods: live.holders,
        });
        return;
      }
      case 'retired':
        logger.info('Token retired: a newer one is handed out', {
          ...where(event.slot),
          generations: event.slot.generations.length,
        });
        return;
      case 'not-written':
        logger.warn('Change of a token could not be recorded; it is tried again', {
          ...where(event.slot),
          error: event.error,
        });
        return;
      case 'tombstoned':
        logger.info('Token that no pod holds is to be cancelled', describe(event.live));
        return;
      case 'kept':
      case 'cancelled':
        metrics.delegationTokenCancels.inc({ cluster: event.live.slot.source.cluster, outcome: event.type });
        logger.info(
          event.type === 'kept' ? 'Token is not cancelled: a pod may hold it' : 'Token cancelled',
          describe(event.live),
        );
        return;
      case 'failed':
        metrics.delegationTokenCancels.inc({ cluster: event.live.slot.source.cluster, outcome: 'failed' });
        logger.warn('Token that no pod holds could not be cancelled; it is tried again', {
          ...describe(event.live),
          error: event.error,
          ...failureFields(event.error),
        });
        return;
      case 'holders-unknown':
        logger.warn('Pods could not be listed: no token is cancelled', {
          error: event.error,
          ...failureFields(event.error),
        });
        return;
      case 'bug':
        logger.error('Unforeseen error in the life of tokens; it goes on', { error: event.error });
    }
  };
}

const RENEWAL_OUTCOMES: Readonly<Record<Proof['outcome'], RenewalOutcome>> = {
  alive: 'renewed',
  dead: 'lost',
  unanswered: 'failed',
};

const where = ({ source, id, stampedUser }: LiveToken['slot']) => ({
  cluster: source.cluster,
  source: source.name,
  kind: source.kind,
  user: id.owner,
  ...(stampedUser === id.owner ? {} : { stampedUser }),
  ...(id.namespace === undefined ? {} : { namespace: id.namespace }),
});

const describe = (live: LiveToken) => ({
  ...where(live.slot),
  sequenceNumber: live.recorded.token.sequenceNumber,
});

export function logTokenStoreEvent(logger: Logger, namespace: string, event: TokenStoreEvent): void {
  switch (event.type) {
    case 'malformed':
      logger.warn('Secret is no record of tokens; it is left as it is', {
        secret: `${namespace}/${event.secret}`,
        problem: event.problem,
      });
      return;
    case 'failed': {
      const { step, error, retryInMs } = event;
      logger.warn('Recorded tokens cannot be followed; trying again', {
        namespace,
        step,
        retryInMs,
        error,
        ...failureFields(error),
      });
      return;
    }
    case 'callback-failed':
      logger.error('Unforeseen error with a recorded token; it goes on', { error: event.error });
      return;
    case 'listed':
    case 'watching':
    case 'watch-ended':
    case 'put':
    case 'delete':
    case 'bookmark':
      return;
  }
}
