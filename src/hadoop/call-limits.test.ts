import { expect, it } from '@jest/globals';
import { FLIGHT_TIMEOUT_MS } from '../delegation-tokens/token-cache.ts';
import { callLimits } from './call-limits.ts';
import { DEFAULT_QUEUE_TIMEOUT_MS } from './http/endpoint-gate.ts';
import { DEFAULT_NEGOTIATE_TIMEOUT_MS } from './http/spnego-session.ts';

it('gives the defaults for the defaults', () => {
  expect(callLimits({ hadoopCallTimeoutMs: 20_000, kerberosStepTimeoutMs: 40_000 })).toEqual({
    queueTimeoutMs: DEFAULT_QUEUE_TIMEOUT_MS,
    negotiateTimeoutMs: DEFAULT_NEGOTIATE_TIMEOUT_MS,
    flightTimeoutMs: FLIGHT_TIMEOUT_MS,
  });
});

it.each([
  [20_000, 40_000],
  [1000, 1000],
  [60_000, 5000],
  [100, 300_000],
])(
  'lets a step end before the negotiation, and that and two calls before the flight: %d, %d',
  (hadoopCallTimeoutMs, kerberosStepTimeoutMs) => {
    const limits = callLimits({ hadoopCallTimeoutMs, kerberosStepTimeoutMs });
    expect(limits.negotiateTimeoutMs).toBeGreaterThan(kerberosStepTimeoutMs);
    expect(limits.flightTimeoutMs).toBeGreaterThan(limits.queueTimeoutMs);
    expect(limits.flightTimeoutMs).toBeGreaterThan(limits.negotiateTimeoutMs + 2 * hadoopCallTimeoutMs);
  },
);
