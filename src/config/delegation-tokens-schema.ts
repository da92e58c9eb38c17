import { z } from 'zod';
import { milliseconds, parseDuration } from './duration.ts';
import { duration, namespaceGlob, name, userGlob } from './schema-parts.ts';

/** A look at the pods, and what others know of the store, is some seconds old. */
const SHORTEST_STALENESS_MS = 5_000;

/** `delegationTokens` of the configuration file, as it is written there. */
export const delegationTokensSchema = z.strictObject({
  store: z.enum(['kubernetes', 'memory']).default('kubernetes'),
  storeNamespace: name.optional(),
  idleTime: duration.default('10m'),
  proofOfLife: duration.default('10m'),
  stalenessBound: duration
    .refine((written) => (parseDuration(written) ?? 0) >= SHORTEST_STALENESS_MS, {
      error: 'must be at least 5s: what is known of the store is some seconds old',
    })
    .default('30s'),
  sharing: z
    .array(
      z.strictObject({
        namespaces: z
          .array(namespaceGlob)
          .min(1, { error: 'must name a namespace, or be left out for all' })
          .default(['*']),
        users: z.array(userGlob).min(1, { error: 'must name a user, or be left out for all' }).default(['*']),
        scope: z.enum(['namespace', 'user', 'pod']).default('namespace'),
        cancel: z.enum(['when-unused', 'never']).default('when-unused'),
      }),
    )
    .default([]),
});

/** As the program uses it. */
export interface DelegationTokensConfig {
  readonly store: 'kubernetes' | 'memory';
  /** Of the Secrets; undefined: our own. */
  readonly storeNamespace: string | undefined;
  readonly idleMs: number;
  readonly proofOfLifeMs: number;
  readonly stalenessMs: number;
  /** The first that fits counts. */
  readonly sharing: readonly SharingRule[];
}

export interface SharingRule {
  readonly namespaces: readonly string[];
  readonly users: readonly string[];
  readonly scope: 'namespace' | 'user' | 'pod';
  readonly cancel: 'when-unused' | 'never';
}

export function toDelegationTokens(raw: z.output<typeof delegationTokensSchema>): DelegationTokensConfig {
  return {
    store: raw.store,
    storeNamespace: raw.storeNamespace,
    idleMs: milliseconds(raw.idleTime),
    proofOfLifeMs: milliseconds(raw.proofOfLife),
    stalenessMs: milliseconds(raw.stalenessBound),
    sharing: raw.sharing,
  };
}
