import { describe, expect, it } from '@jest/globals';
import { judgePod } from './judge-pod.ts';
import type { PodView } from './kubernetes-access.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const CLAIM = { namespace: 'team-a', serviceAccount: 'trainer', podName: 'job-1', podUid: 'pod-1' };
const POD: PodView = {
  namespace: 'team-a',
  name: 'job-1',
  uid: 'pod-1',
  serviceAccount: 'trainer',
  phase: 'Running',
  createdAt: NOW,
  deletionTimestamp: undefined,
  podIps: ['10.0.0.7', 'fd00::7'],
  annotations: { 'iddecorator.username': 'alice' },
};

const judge = (change: Partial<PodView>, sourceAddress?: string) =>
  judgePod({ ...POD, ...change }, CLAIM, { now: NOW, sourceAddress });
const refused = (reason: string) => expect.objectContaining({ outcome: 'refused', reason }) as unknown;

describe('judgePod', () => {
  it('refuses when there is no such pod [pod-found]', () => {
    expect(judgePod(undefined, CLAIM, { now: NOW, sourceAddress: undefined })).toEqual(
      refused('pod-not-found'),
    );
  });

  it('refuses another pod of that name [pod-uid]', () => {
    expect(judge({ uid: 'pod-2' })).toEqual(refused('pod-uid-differs'));
  });

  it('refuses a pod of another account [pod-service-account]', () => {
    expect(judge({ serviceAccount: 'default' })).toEqual(refused('pod-service-account-differs'));
  });

  it.each(['Succeeded', 'Failed'])('refuses a %s pod [pod-finished]', (phase) => {
    expect(judge({ phase })).toEqual(refused('pod-finished'));
  });

  it.each([0, 1, 60_000])('refuses a pod %d ms after its deletionTimestamp [pod-deleted]', (ms) => {
    expect(judge({ deletionTimestamp: NOW - ms })).toEqual(refused('pod-deleted'));
  });

  it('could not check where a pod is whose address nobody has written yet [pod-address-known]', () => {
    expect(judge({ podIps: [] }, '10.0.0.7')).toEqual({
      outcome: 'could-not-check',
      dependency: 'pod-address',
      pod: { namespace: 'team-a', name: 'job-1', uid: 'pod-1', serviceAccount: 'trainer' },
    });
  });

  it.each(['10.0.0.8', '10.0.0.70', '127.0.0.1', 'fd00::70', ''])(
    'refuses a request from %s [source-address]',
    (sourceAddress) => {
      expect(judge({}, sourceAddress)).toEqual(refused('source-address-differs'));
    },
  );

  it('says of which pod the token is that it refuses [pod-finished]', () => {
    expect(judge({ phase: 'Failed', annotations: { secret: 'x' } })).toEqual({
      outcome: 'refused',
      reason: 'pod-finished',
      detail: 'team-a/job-1: Failed',
      pod: { namespace: 'team-a', name: 'job-1', uid: 'pod-1', serviceAccount: 'trainer' },
    });
  });

  it.each(['10.0.0.7', 'fd00::7'])('allows a request from %s', (sourceAddress) => {
    expect(judge({}, sourceAddress).outcome).toBe('authenticated');
  });

  it('does not look at addresses when they are not to be compared', () => {
    expect(judge({ podIps: [] }).outcome).toBe('authenticated');
  });

  it('allows a terminating pod until its deletionTimestamp', () => {
    expect(judge({ deletionTimestamp: NOW + 1 }).outcome).toBe('authenticated');
  });

  it.each(['Pending', 'Running', 'Unknown'])('allows a %s pod, and gives what the object says', (phase) => {
    expect(judge({ phase })).toEqual({
      outcome: 'authenticated',
      pod: {
        namespace: 'team-a',
        name: 'job-1',
        uid: 'pod-1',
        createdAt: NOW,
        serviceAccount: 'trainer',
        annotations: { 'iddecorator.username': 'alice' },
      },
    });
  });
});
