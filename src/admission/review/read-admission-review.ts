import {
  type AdmissionRequest,
  type GroupVersionKind,
  type GroupVersionResource,
  type JsonObject,
  OPERATIONS,
  type Operation,
  type UserInfo,
} from './admission-request.ts';
import { isList, isMap } from '../patch/json-value.ts';
import { type JsonLimits, measureJson } from './json-limits.ts';

/**
 * The API server takes requests of 3 MiB (its `--max-request-body-bytes`), and etcd keeps objects of 1.5 MiB, which may
 * be twice as long as JSON; an update brings both.
 */
export const MAX_REVIEW_BYTES = 8 * 1024 * 1024;

/** A pod of 100 KB has some 6,000 values, 20 deep. Of the whole review; the object is 3 deep in it. */
export const REVIEW_LIMITS: JsonLimits = { depth: 200, values: 500_000 };

/** It is no AdmissionReview that we can read. The message quotes nothing of it. */
export class MalformedReviewError extends Error {
  override readonly name = 'MalformedReviewError';
}

/**
 * A review that is larger than what we look at. A person made it so, and is to hear it: `uid` is that of the review, if
 * it could be seen.
 */
export class OversizeReviewError extends Error {
  override readonly name = 'OversizeReviewError';
  readonly uid: string | undefined;

  constructor(message: string, uid: string | undefined) {
    super(message);
    this.uid = uid;
  }
}

/**
 * Strict about the members that are used, and without a word about others: later versions of Kubernetes may add some.
 * `onMeasured` hears how much is in it before anything is made of that, and may throw.
 * @throws {MalformedReviewError} @throws {OversizeReviewError}
 */
export function readAdmissionReview(
  bytes: Uint8Array,
  onMeasured: (values: number) => void = () => {},
): AdmissionRequest {
  if (bytes.length > MAX_REVIEW_BYTES) throw new OversizeReviewError(OVERSIZE.bytes, uidOfUnread(bytes));
  const { exceeded, values } = measureJson(bytes, REVIEW_LIMITS);
  if (exceeded !== undefined) throw new OversizeReviewError(OVERSIZE[exceeded], uidOfUnread(bytes));
  onMeasured(values);
  const review = objectAt(parse(bytes), 'the body');
  if (review['apiVersion'] !== 'admission.k8s.io/v1' || review['kind'] !== 'AdmissionReview') {
    throw malformed(
      'the body is no AdmissionReview of admission.k8s.io/v1: set admissionReviewVersions: [v1]',
    );
  }
  const request = objectAt(review['request'], 'request');
  const kind = kindAt(request['kind'], 'request.kind');
  const resource = resourceAt(request['resource'], 'request.resource');
  const subResource = optionalText(request['subResource'], 'request.subResource');
  const operation = operationAt(request['operation']);
  const object = optionalObject(request['object'], 'request.object');
  const oldObject = optionalObject(request['oldObject'], 'request.oldObject');
  if (object === undefined && (operation === 'CREATE' || operation === 'UPDATE')) {
    throw malformed(`request.object is missing on ${operation}`);
  }
  if (oldObject === undefined && operation === 'UPDATE') {
    throw malformed('request.oldObject is missing on UPDATE');
  }
  return {
    uid: textAt(request['uid'], 'request.uid'),
    kind,
    resource,
    subResource,
    requestKind: isAbsent(request['requestKind'])
      ? kind
      : kindAt(request['requestKind'], 'request.requestKind'),
    requestResource: isAbsent(request['requestResource'])
      ? resource
      : resourceAt(request['requestResource'], 'request.requestResource'),
    requestSubResource: isAbsent(request['requestResource'])
      ? subResource
      : optionalText(request['requestSubResource'], 'request.requestSubResource'),
    name: optionalText(request['name'], 'request.name'),
    namespace: optionalText(request['namespace'], 'request.namespace'),
    operation,
    userInfo: userInfoAt(request['userInfo']),
    object,
    oldObject,
    options: optionalObject(request['options'], 'request.options'),
    dryRun: booleanAt(request['dryRun'] ?? false, 'request.dryRun'),
  };
}

const OVERSIZE = {
  bytes: `the object is too large to be checked: the review of it may have ${MAX_REVIEW_BYTES / 1024 / 1024} MiB; make it smaller`,
  depth: `the object is too deep to be checked: a review may have ${REVIEW_LIMITS.depth} objects and lists within one another; make it flatter`,
  values: `the object has too many values to be checked: a review may have ${REVIEW_LIMITS.values}; make it smaller`,
} as const;

/** How the API server begins each review. Only to say no under that uid: whoever fakes it gets a no for something else. */
const START_OF_REVIEW =
  /^\{"kind":"AdmissionReview","apiVersion":"admission\.k8s\.io\/v1","request":\{"uid":"(?<uid>[\w-]{1,64})"/;
const START_BYTES = 256;

function uidOfUnread(bytes: Uint8Array): string | undefined {
  const start = Buffer.from(bytes.subarray(0, START_BYTES)).toString('latin1');
  return START_OF_REVIEW.exec(start)?.groups?.['uid'];
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parse(bytes: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes));
    return value;
  } catch {
    // Without the cause: its message quotes the text.
    throw malformed('the body is no JSON in UTF-8');
  }
}

function userInfoAt(value: unknown): UserInfo {
  const userInfo = objectAt(value, 'request.userInfo');
  const extra: Record<string, readonly string[]> = Object.create(null);
  const given = optionalObject(userInfo['extra'], 'request.userInfo.extra') ?? {};
  for (const [key, values] of Object.entries(given)) {
    extra[key] = textsAt(values, 'a member of request.userInfo.extra');
  }
  return {
    username: textAt(userInfo['username'], 'request.userInfo.username'),
    uid: optionalText(userInfo['uid'], 'request.userInfo.uid'),
    groups: textsAt(userInfo['groups'] ?? [], 'request.userInfo.groups'),
    extra,
  };
}

function kindAt(value: unknown, path: string): GroupVersionKind {
  const { group, version, kind } = objectAt(value, path);
  return {
    group: optionalText(group, `${path}.group`) ?? '',
    version: textAt(version, `${path}.version`),
    kind: textAt(kind, `${path}.kind`),
  };
}

function resourceAt(value: unknown, path: string): GroupVersionResource {
  const { group, version, resource } = objectAt(value, path);
  return {
    group: optionalText(group, `${path}.group`) ?? '',
    version: textAt(version, `${path}.version`),
    resource: textAt(resource, `${path}.resource`),
  };
}

function operationAt(value: unknown): Operation {
  const operation = OPERATIONS.find((each) => each === value);
  if (operation === undefined) throw malformed(`request.operation must be one of ${OPERATIONS.join(', ')}`);
  return operation;
}

function objectAt(value: unknown, path: string): JsonObject {
  if (!isMap(value)) throw malformed(`${path} must be an object`);
  return value;
}

function optionalObject(value: unknown, path: string): JsonObject | undefined {
  return isAbsent(value) ? undefined : objectAt(value, path);
}

function textAt(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '') throw malformed(`${path} must be a text that is not empty`);
  return value;
}

/** Go leaves out what is empty, or doesn't. */
function optionalText(value: unknown, path: string): string | undefined {
  return isAbsent(value) || value === '' ? undefined : textAt(value, path);
}

function textsAt(value: unknown, path: string): readonly string[] {
  if (!isList(value) || !value.every((each) => typeof each === 'string')) {
    throw malformed(`${path} must be a list of texts`);
  }
  return value;
}

function booleanAt(value: unknown, path: string): boolean {
  if (typeof value !== 'boolean') throw malformed(`${path} must be true or false`);
  return value;
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function malformed(message: string): MalformedReviewError {
  return new MalformedReviewError(message);
}
