import { z } from 'zod';
import { kidOfStamp, openStamp, sealStamp, type StampFormat, type StampResult } from './compact-stamp.ts';
import type { StampPublicKeys, StampSigningKey } from './stamp-keys.ts';
import { MAX_LENGTH, stampText, writeChecked } from './stamp-members.ts';

/** That the pod of this name, made at about this time, speaks for this user. */
export interface PodStamp {
  readonly namespace: string;
  readonly podName: string;
  /** A Hadoop user, as far as whoever signed knows: `serve` judges the name once more. */
  readonly user: string;
  /** The Kubernetes user who asked for the pod; of a workload's pod, the controller. */
  readonly requester: string;
  /** When it was signed: seconds since the epoch, as `creationTimestamp` has seconds. */
  readonly issuedAtSeconds: number;
}

const payloadSchema = z.strictObject({
  v: z.literal(1),
  ns: stampText(MAX_LENGTH.namespace),
  pod: stampText(MAX_LENGTH.name),
  user: stampText(MAX_LENGTH.user),
  by: stampText(MAX_LENGTH.requester),
  iat: z.int().min(0),
});

const FORMAT: StampFormat<PodStamp> = {
  type: 'kerbridge-pod-stamp',
  version: 1,
  write: ({ namespace, podName, user, requester, issuedAtSeconds }) =>
    writeChecked(payloadSchema, 'pod stamp', {
      v: 1,
      ns: namespace,
      pod: podName,
      user,
      by: requester,
      iat: issuedAtSeconds,
    }),
  read: (payload) => {
    const { data } = payloadSchema.safeParse(payload);
    if (data === undefined) return undefined;
    const { ns, pod, user, by, iat } = data;
    return { namespace: ns, podName: pod, user, requester: by, issuedAtSeconds: iat };
  },
};

/** @throws RangeError, by the member of the payload, for what `verifyPodStamp` would refuse */
export function signPodStamp(stamp: PodStamp, key: StampSigningKey): string {
  return sealStamp(FORMAT, stamp, key);
}

/** That it is a stamp of ours. Whether it is that of a pod at hand, `judgePodStamp` says. */
export function verifyPodStamp(text: string, keys: StampPublicKeys): StampResult<PodStamp> {
  return openStamp(FORMAT, text, keys);
}

/** See `kidOfStamp`. */
export function kidOfPodStamp(text: string): string | undefined {
  return kidOfStamp(FORMAT.type, text);
}
