import type { V1Pod } from '@kubernetes/client-node';
import type { PodView, ServiceAccountTokenReview } from '../authentication/kubernetes-access.ts';
import { normaliseIpAddress } from '../authentication/ip-address.ts';
import { fieldOf } from './api-reply.ts';
import { KubernetesApiError } from './kubernetes-api-error.ts';
import { isPlainRefusal } from './token-review-refusal.ts';

/*
 * From client-node's objects to ours. Their types say what a Kubernetes API should send, not what came over the wire,
 * so every field is looked at as unknown.
 */

const MAX_ERROR_LENGTH = 300;

/** Shorter than any service-account token: to replace a word like `a` would only garble the text. */
const MIN_QUOTED_LENGTH = 16;

interface TokenReviewAnswer {
  readonly status: object;
  readonly authenticated: boolean;
  readonly error: string;
}

/** That the API server answered, whatever it said. Throws KubernetesApiError `bad-reply` for anything else. */
export function readTokenReviewAnswer(review: unknown): TokenReviewAnswer {
  const status: unknown = fieldOf(review, 'status');
  const authenticated = fieldOf(status, 'authenticated') ?? false;
  const error = fieldOf(status, 'error') ?? '';
  if (
    typeof status !== 'object' ||
    status === null ||
    typeof authenticated !== 'boolean' ||
    typeof error !== 'string'
  ) {
    throw badReply('a TokenReview without a status');
  }
  return { status, authenticated, error };
}

/**
 * `sent` is the token that was asked about: an authenticator webhook may quote it in its error. An error that is more
 * than a plain refusal is no answer: to take it for a "no" would turn a pod away for an outage of etcd.
 */
export function readTokenReview(review: unknown, sent: string): ServiceAccountTokenReview {
  const { status, authenticated, error } = readTokenReviewAnswer(review);
  if (!authenticated) {
    const whole = sent.length < MIN_QUOTED_LENGTH ? error : error.replaceAll(sent, '[redacted]');
    const text = whole.slice(0, MAX_ERROR_LENGTH);
    if (error !== '' && !isPlainRefusal(error)) {
      throw badReply(`a TokenReview that could not be decided: ${text}`);
    }
    return { authenticated: false, error: error === '' ? 'no reason given' : text };
  }
  // "Error indicates that the token couldn't be checked" (authentication.k8s.io/v1): that is no yes.
  if (error !== '') throw badReply('a TokenReview that says yes and has an error');

  const user = fieldOf(status, 'user');
  const username = fieldOf(user, 'username');
  const uid = fieldOf(user, 'uid') ?? '';
  const audiences = fieldOf(status, 'audiences') ?? [];
  const groups = fieldOf(user, 'groups') ?? [];
  const extra = fieldOf(user, 'extra') ?? {};
  if (
    typeof username !== 'string' ||
    typeof uid !== 'string' ||
    !areStrings(audiences) ||
    !areStrings(groups)
  ) {
    throw badReply('a TokenReview whose user or audiences are malformed');
  }
  const values = Object.entries(extra);
  if (!values.every((entry): entry is [string, string[]] => areStrings(entry[1]))) {
    throw badReply('a TokenReview whose extra fields are malformed');
  }
  return { authenticated: true, audiences, username, uid, groups, extra: Object.fromEntries(values) };
}

/** Checks that it is the pod that was asked for. */
export function readPod(pod: V1Pod, namespace: string, name: string): PodView {
  const view = readAnyPod(pod);
  if (view.namespace !== namespace || view.name !== name) {
    throw badReply('another object than the pod that was asked for');
  }
  return view;
}

/** A pod of client-node or as it came over the wire. Throws KubernetesApiError `bad-reply`. */
export function readAnyPod(pod: unknown): PodView {
  const metadata = fieldOf(pod, 'metadata');
  const namespace = fieldOf(metadata, 'namespace');
  const name = fieldOf(metadata, 'name');
  const uid = fieldOf(metadata, 'uid');
  const annotations = Object.entries(fieldOf(metadata, 'annotations') ?? {});
  const serviceAccount = fieldOf(fieldOf(pod, 'spec'), 'serviceAccountName') ?? '';
  const status = fieldOf(pod, 'status');
  const phase = fieldOf(status, 'phase') ?? 'Pending';
  const createdAt = toEpochMs(fieldOf(metadata, 'creationTimestamp'));
  if (!isFilled(namespace) || !isFilled(name)) throw badReply('a pod without a name');
  if (!isFilled(uid)) throw badReply('a pod without a UID');
  // Whoever was there before a token was retired may hold it: a guess could cancel it under its holder.
  if (createdAt === undefined) throw badReply('a pod without a creationTimestamp');
  if (typeof serviceAccount !== 'string' || typeof phase !== 'string') throw badReply('a malformed pod');
  if (!annotations.every((entry): entry is [string, string] => typeof entry[1] === 'string')) {
    throw badReply('a pod with malformed annotations');
  }
  return {
    namespace,
    name,
    uid,
    serviceAccount: serviceAccount === '' ? 'default' : serviceAccount,
    phase,
    createdAt,
    deletionTimestamp: toEpochMs(fieldOf(metadata, 'deletionTimestamp')),
    podIps: readPodIps(status),
    annotations: Object.fromEntries(annotations),
  };
}

/**
 * `podIP` is what API servers before dual stack wrote alone. An address that is none is left out rather than refused:
 * API servers accept some that we don't (leading zeros), and one pod's status must not stop the reflector for all.
 */
function readPodIps(status: unknown): readonly string[] {
  const podIps = fieldOf(status, 'podIPs') ?? [];
  if (!Array.isArray(podIps)) throw badReply('a pod with malformed addresses');
  const texts =
    podIps.length === 0 ? [fieldOf(status, 'podIP')] : podIps.map((entry) => fieldOf(entry, 'ip'));
  return texts.flatMap((text) => (typeof text === 'string' ? (normaliseIpAddress(text) ?? []) : []));
}

/** client-node gives a timestamp as a Date from a plain call and as a string from a watch. */
export function toEpochMs(timestamp: unknown): number | undefined {
  if (timestamp === undefined || timestamp === null) return undefined;
  const ms =
    typeof timestamp === 'string'
      ? Date.parse(timestamp)
      : timestamp instanceof Date
        ? timestamp.getTime()
        : Number.NaN;
  // Not "no timestamp": a deleted pod would look alive.
  if (Number.isNaN(ms)) throw badReply('a timestamp that is none');
  return ms;
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function areStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function badReply(what: string): KubernetesApiError {
  return new KubernetesApiError('bad-reply', `the Kubernetes API sent ${what}`);
}
