import { describe, expect, it } from '@jest/globals';
import {
  apiServer,
  attacker,
  CLAIMS,
  now,
  OBJECTS,
  setUp as setUpKeys,
} from '../../test/fakes/token-filter-world.ts';
import { Secret } from '../observability/secret.ts';
import { createOperatorTokenFilter } from './token-filter.ts';

const AUDIENCE = 'kerbridge-admin';
const DAY_S = 24 * 3600;
const NOW_S = Math.floor(now / 1000);
const { serviceaccount, namespace } = OBJECTS;
/** As `kubectl create token --audience kerbridge-admin` gets it: of no pod. */
const OPERATOR_CLAIMS = { ...CLAIMS, aud: [AUDIENCE], 'kubernetes.io': { namespace, serviceaccount } };

function setUp() {
  const { keys, published, clock } = setUpKeys();
  const filter = createOperatorTokenFilter({
    keys,
    audience: AUDIENCE,
    issuers: [],
    maxTokenLifetimeMs: DAY_S * 1000,
    clock,
  });
  const show = async (claims: object = {}, issuer = apiServer) =>
    await filter(new Secret(await issuer.sign({ ...OPERATOR_CLAIMS, ...claims })));
  return { filter, show, published };
}

describe('createOperatorTokenFilter', () => {
  it.each([
    ['a token of pods [jwt-audience]', { aud: ['kerbridge'] }, 'jwt-audience-differs'],
    ['a token for no audience [jwt-audience]', { aud: undefined }, 'jwt-audience-differs'],
    ['a token for pods too [jwt-single-audience]', { aud: [AUDIENCE, 'kerbridge'] }, 'jwt-several-audiences'],
    ['a token for ever [jwt-expiry-present]', { exp: undefined }, 'jwt-without-expiry'],
    ['a token that is over [jwt-expired]', { iat: NOW_S - 300, exp: NOW_S - 61 }, 'jwt-expired'],
    ['a token not valid yet [jwt-not-before]', { nbf: NOW_S + 61 }, 'jwt-not-yet-valid'],
    ['a token of the future [jwt-issued-at]', { iat: NOW_S + 61 }, 'jwt-not-yet-valid'],
    ['a token for more than a day [jwt-lifetime]', { exp: NOW_S + DAY_S + 1 }, 'jwt-lifetime-too-long'],
    ['a token without an account [jwt-registered-claims]', { sub: undefined }, 'jwt-malformed'],
    ['a token of another issuer [jwt-issuer]', { iss: 'https://else.where' }, 'jwt-issuer-differs'],
  ])('refuses %s', async (_name, claims, reason) => {
    expect(await setUp().show(claims)).toMatchObject({ outcome: 'refused', reason });
  });

  it.each(['garbagegarbagegarbage', 'a.b.c.d'])('refuses %j and reads no keys [jwt-shape]', async (text) => {
    const { filter, published } = setUp();
    expect(await filter(new Secret(text))).toEqual({
      outcome: 'refused',
      reason: 'jwt-malformed',
      detail: 'no compact JWS',
    });
    expect(published.reads).toBe(0);
  });

  it('refuses a token that was changed [jwt-signature]', async () => {
    const { filter } = setUp();
    const [header, , signature] = (await apiServer.sign(OPERATOR_CLAIMS)).split('.');
    const [, payload] = (await apiServer.sign({ ...OPERATOR_CLAIMS, sub: 'system:admin' })).split('.');
    expect(await filter(new Secret([header, payload, signature].join('.')))).toMatchObject({
      outcome: 'refused',
      reason: 'jwt-signature-invalid',
    });
  });

  it('leaves a token with a key that nobody published to the API server', async () => {
    expect(await setUp().show({}, attacker)).toMatchObject({ outcome: 'unproven', why: 'unknown-key' });
  });

  it('leaves every token to the API server while there are no keys', async () => {
    const { show, published } = setUp();
    published.read = () => Promise.reject(new Error('forbidden'));
    expect(await show()).toMatchObject({ outcome: 'unproven', why: 'keys-unavailable' });
  });

  it.each([
    ['of no pod, for a day', { exp: NOW_S + DAY_S }],
    ['of a pod', { 'kubernetes.io': OBJECTS }],
    ['that says nothing of Kubernetes', { 'kubernetes.io': undefined }],
  ])('takes a token %s', async (_name, claims) => {
    expect(await setUp().show(claims)).toMatchObject({
      outcome: 'verified',
      claims: { subject: 'system:serviceaccount:team-a:trainer' },
    });
  });
});
