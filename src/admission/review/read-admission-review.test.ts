import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { podRequest, reviewBytes, reviewText } from '../../../test/fakes/admission-reviews.ts';
import {
  MalformedReviewError,
  MAX_REVIEW_BYTES,
  OversizeReviewError,
  readAdmissionReview,
  REVIEW_LIMITS,
} from './read-admission-review.ts';

const UID = '705ab4f5-6393-11e8-b7cc-42010a800002';

function without(name: string): Buffer {
  const { [name]: _gone, ...rest } = podRequest();
  return Buffer.from(reviewText(rest));
}

describe('readAdmissionReview refuses', () => {
  it.each<[string, Buffer, RegExp]>([
    ['nothing', Buffer.of(), /no JSON/],
    ['no JSON', Buffer.from('{"kind":'), /no JSON/],
    ['JSON and something after it', Buffer.concat([reviewBytes(), Buffer.from('x')]), /no JSON/],
    ['what is no UTF-8', Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff), Buffer.from('"}')]), /UTF-8/],
    ['a byte order mark', Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), reviewBytes()]), /no JSON/],
    ['a list', Buffer.from('[]'), /the body must be an object/],
    ['null', Buffer.from('null'), /the body must be an object/],
    ['an object without a kind', Buffer.from('{}'), /no AdmissionReview/],
    [
      'v1beta1',
      Buffer.from(
        JSON.stringify({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1beta1', request: {} }),
      ),
      /admissionReviewVersions: \[v1\]/,
    ],
    ['a review without a request', Buffer.from(reviewText(undefined)), /^request must be an object/],
    ['a response', Buffer.from(reviewText(null)), /^request must be an object/],
    ...['uid', 'kind', 'resource', 'operation', 'userInfo', 'object'].map(
      (name): [string, Buffer, RegExp] => [
        `a request without ${name}`,
        without(name),
        new RegExp(`^request\\.${name}`),
      ],
    ),
  ])('%s', (_name, bytes, message) => {
    expect(() => readAdmissionReview(bytes)).toThrow(MalformedReviewError);
    expect(() => readAdmissionReview(bytes)).toThrow(message);
  });

  it.each<[string, Record<string, unknown>]>([
    ['uid', { uid: 7 }],
    ['uid', { uid: '' }],
    ['kind', { kind: 'Pod' }],
    ['kind', { kind: [] }],
    ['kind.version', { kind: { group: '', kind: 'Pod' } }],
    ['kind.kind', { kind: { group: '', version: 'v1', kind: '' } }],
    ['kind.group', { kind: { group: 1, version: 'v1', kind: 'Pod' } }],
    ['resource.resource', { resource: { group: '', version: 'v1' } }],
    ['requestKind', { requestKind: 'Pod' }],
    ['requestResource.version', { requestResource: { resource: 'pods' } }],
    ['subResource', { subResource: 1 }],
    ['requestSubResource', { requestSubResource: {} }],
    ['name', { name: ['train-0'] }],
    ['namespace', { namespace: 1 }],
    ['operation', { operation: 'create' }],
    ['operation', { operation: 'PATCH' }],
    ['operation', { operation: ['CREATE'] }],
    ['userInfo', { userInfo: 'alice' }],
    ['userInfo.username', { userInfo: {} }],
    ['userInfo.username', { userInfo: { username: '' } }],
    ['userInfo.username', { userInfo: { username: ['alice'] } }],
    ['userInfo.uid', { userInfo: { username: 'alice', uid: 1 } }],
    ['userInfo.groups', { userInfo: { username: 'alice', groups: 'research' } }],
    ['userInfo.groups', { userInfo: { username: 'alice', groups: ['research', 1] } }],
    ['userInfo.extra', { userInfo: { username: 'alice', extra: [] } }],
    ['userInfo.extra', { userInfo: { username: 'alice', extra: { key: 'value' } } }],
    ['userInfo.extra', { userInfo: { username: 'alice', extra: { key: [null] } } }],
    ['object', { object: [] }],
    ['object', { object: 'pod' }],
    ['object', { object: null, operation: 'UPDATE', oldObject: {} }],
    ['oldObject', { operation: 'UPDATE' }],
    ['oldObject', { oldObject: 1 }],
    ['options', { options: 1 }],
    ['dryRun', { dryRun: 'false' }],
    ['dryRun', { dryRun: 0 }],
  ])('a wrong request.%s', (path, overrides) => {
    expect(() => readAdmissionReview(reviewBytes(overrides))).toThrow(MalformedReviewError);
    expect(() => readAdmissionReview(reviewBytes(overrides))).toThrow(`request.${path}`);
  });

  it('without a word of what it was given', () => {
    for (const bytes of [
      Buffer.from('{"apiVersion": secret-text'),
      reviewBytes({ userInfo: { username: 'a', extra: { 'secret-text': 'secret-text' } } }),
      reviewBytes({ operation: 'secret-text' }),
    ]) {
      let text = '';
      try {
        readAdmissionReview(bytes);
      } catch (error) {
        text = `${String(error)} ${String((error as Error).cause)}`;
      }
      expect(text).toContain('MalformedReviewError');
      expect(text).not.toContain('secret-text');
    }
  });

  it.each<[string, string, string]>([
    ['objects within one another', '{"a":'.repeat(300), '}'.repeat(300)],
    ['lists within one another', '['.repeat(300), ']'.repeat(300)],
    ['too many values', `[${'0,'.repeat(REVIEW_LIMITS.values)}`, '0]'],
    ['too many empty objects', `[${'{},'.repeat(REVIEW_LIMITS.values / 2)}`, '0]'],
    ['too many bytes', `"${'a'.repeat(MAX_REVIEW_BYTES)}`, '"'],
  ])('%s, with the uid of the review', (_name, start, end) => {
    const middle = start.endsWith(':') ? '1' : '';
    const text = reviewText(podRequest({ object: 'HERE' })).replace('"HERE"', () => start + middle + end);
    const thrown = (() => {
      try {
        return readAdmissionReview(Buffer.from(text));
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).toBeInstanceOf(OversizeReviewError);
    expect(thrown).toMatchObject({
      uid: UID,
      message: expect.stringMatching(/make it (?:smaller|flatter)$/),
    });
  });

  it('what has no uid where the API server has it, without one', () => {
    expect(() => readAdmissionReview(Buffer.from('['.repeat(8 * 1024 * 1024)))).toThrow(
      expect.objectContaining({ uid: undefined }),
    );
    const moved = JSON.stringify({ request: { uid: UID } }) + '['.repeat(300);
    expect(() => readAdmissionReview(Buffer.from(moved))).toThrow(
      expect.objectContaining({ uid: undefined }),
    );
  });
});

describe('readAdmissionReview reads', () => {
  it('a pod', () => {
    expect(readAdmissionReview(reviewBytes())).toEqual({
      uid: UID,
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      subResource: undefined,
      requestKind: { group: '', version: 'v1', kind: 'Pod' },
      requestResource: { group: '', version: 'v1', resource: 'pods' },
      requestSubResource: undefined,
      name: 'train-0',
      namespace: 'lab',
      operation: 'CREATE',
      userInfo: {
        username: 'alice',
        uid: undefined,
        groups: ['research', 'system:authenticated'],
        extra: {},
      },
      object: podRequest()['object'],
      oldObject: undefined,
      options: { apiVersion: 'meta.k8s.io/v1', kind: 'CreateOptions' },
      dryRun: false,
    });
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['a name still to be made', { name: '' }, { name: undefined }],
    ['a dry run', { dryRun: true }, { dryRun: true }],
    ['no word on dry run', { dryRun: null }, { dryRun: false }],
    [
      'what is cluster-wide, by its old version',
      {
        namespace: undefined,
        kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
        requestKind: { group: 'apps', version: 'v1beta1', kind: 'Deployment' },
      },
      {
        namespace: undefined,
        kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
        requestKind: { group: 'apps', version: 'v1beta1', kind: 'Deployment' },
      },
    ],
    [
      'a connection',
      { operation: 'CONNECT', subResource: 'exec', requestSubResource: 'exec', object: null, options: null },
      {
        operation: 'CONNECT',
        subResource: 'exec',
        requestSubResource: 'exec',
        object: undefined,
        options: undefined,
      },
    ],
    [
      'a request as it was asked, left out',
      { requestKind: null, requestResource: null, subResource: 'status', requestSubResource: '' },
      {
        requestKind: { group: '', version: 'v1', kind: 'Pod' },
        requestResource: { group: '', version: 'v1', resource: 'pods' },
        requestSubResource: 'status',
      },
    ],
    [
      'a deletion',
      { operation: 'DELETE', object: null, oldObject: { kind: 'Pod' } },
      { operation: 'DELETE', object: undefined, oldObject: { kind: 'Pod' } },
    ],
    ['members that it does not know', { later: { than: 'this' } }, { name: 'train-0' }],
    [
      'a user with nothing but a name',
      { userInfo: { username: 'alice', uid: '', groups: null, extra: null } },
      { userInfo: { username: 'alice', uid: undefined, groups: [], extra: {} } },
    ],
  ])('%s', (_name, overrides, expected) => {
    expect(readAdmissionReview(reviewBytes(overrides))).toMatchObject(expected);
  });

  it('keys of a tenant as they are: nobody gets another prototype', () => {
    const evil = reviewText(podRequest())
      .replace('"username":"alice"', '"username":"alice","extra":{"__proto__":["x"],"constructor":["y"]}')
      .replace('"metadata":{', '"metadata":{"__proto__":{"polluted":true},');
    const { userInfo, object } = readAdmissionReview(Buffer.from(evil));
    expect(Object.getPrototypeOf(userInfo.extra)).toBeNull();
    expect(Object.entries(userInfo.extra)).toEqual([
      ['__proto__', ['x']],
      ['constructor', ['y']],
    ]);
    expect(userInfo.extra['toString']).toBeUndefined();
    const metadata = object?.['metadata'] as object;
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
    expect(Reflect.get(metadata, 'polluted')).toBeUndefined();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('any object within the limits as it is', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 20 })), (object) => {
        const read = readAdmissionReview(reviewBytes({ object })).object;
        expect(JSON.stringify(read)).toBe(JSON.stringify(object));
      }),
    );
  });

  it('anything at all, or refuses it with an error of ours', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => Buffer.from(text)),
      fc.jsonValue().map((request) => Buffer.from(reviewText(request))),
      fc
        .record({ key: fc.constantFrom(...Object.keys(podRequest())), value: fc.jsonValue() })
        .map(({ key, value }) => reviewBytes({ [key]: value })),
    );
    fc.assert(
      fc.property(bytes, (given) => {
        try {
          expect(typeof readAdmissionReview(given).userInfo.username).toBe('string');
        } catch (error) {
          if (!(error instanceof MalformedReviewError)) throw error;
        }
      }),
    );
  });
});
