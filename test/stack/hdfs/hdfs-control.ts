import { z } from 'zod';

const health = z.object({
  healthy: z.boolean(),
  problems: z.array(z.string()),
  nameNodes: z.array(
    z.object({
      nn: z.int(),
      state: z.enum(['active', 'standby', 'starting', 'stopped']),
      safeMode: z.boolean().optional(),
    }),
  ),
});

const issuedToken = z.object({
  sequenceNumber: z.int(),
  masterKeyId: z.int(),
  owner: z.string(),
  renewer: z.string(),
  realUser: z.string(),
  /** The three dates in milliseconds since the epoch. */
  issueDate: z.int(),
  maxDate: z.int(),
  /** Until when the token is valid unless it is renewed. */
  renewDate: z.int(),
});

export type HdfsHealth = z.infer<typeof health>;
/** A delegation token as the NameNode holds it; no password. */
export type IssuedToken = z.infer<typeof issuedToken>;

/** What tests do to a cluster behind its back. `nn` counts NameNodes from 0, and is 0 when left out. */
export interface HdfsControl {
  health(options?: { readonly timeoutMs?: number }): Promise<HdfsHealth>;
  /** The delegation tokens the NameNode knows now, expired ones too until its remover has come by (hourly). */
  tokens(nn?: number): Promise<IssuedToken[]>;
  setSafeMode(nn: number, on: boolean): Promise<void>;
  /** Fails over: whoever is active becomes standby first. */
  setActive(nn: number): Promise<void>;
  setStandby(nn: number): Promise<void>;
  /** Stops the NameNode's servers, as a killed process would look from outside. */
  stop(nn?: number): Promise<void>;
  /** In the pair the NameNode comes back as standby; it has its blocks again when this resolves. */
  start(nn?: number): Promise<void>;
  /** Stop and start; ready when it resolves, and active again if it was. New secret, so old cookies are refused. */
  restart(nn?: number): Promise<void>;
  /** From which hosts and for whom `kerbridge` may ask; what is left out stays. Comma lists, or `*`. */
  refreshProxyUsers(change: { readonly hosts?: string; readonly users?: string }): Promise<void>;
  /** Of the `hadoop.auth` cookies that the NameNode gives, until `reset`; restarts it. */
  setCookieLifetime(nn: number, seconds: number): Promise<void>;
  /** For tokens issued and renewed from now on, until the NameNode restarts. */
  setTokenLifetimes(change: {
    readonly renewIntervalMs?: number;
    readonly maxLifetimeMs?: number;
  }): Promise<void>;
  /** Takes back all of the above: NameNodes run, the first is active, no safe mode, rules and lifetimes as configured. */
  reset(): Promise<void>;
}

export function hdfsControl({ controlUrl }: { readonly controlUrl: string }): HdfsControl {
  const call = async (
    method: 'GET' | 'POST',
    path: string,
    query: Query = {},
    timeoutMs = 60_000,
  ): Promise<unknown> => {
    const url = new URL(path, controlUrl);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) {
        url.searchParams.set(name, String(value));
      }
    }
    const { response, text } = await fetchText(url, method, timeoutMs).catch((error: unknown) => {
      throw new Error(`${method} ${url.href}: ${String(error)}`, { cause: error });
    });
    if (!response.ok) {
      throw new Error(`${method} ${path}: ${response.status} ${text}`);
    }
    return JSON.parse(text) as unknown;
  };
  const change = async (path: string, query: Query): Promise<void> => {
    await call('POST', path, query);
  };
  return {
    health: async ({ timeoutMs } = {}) => health.parse(await call('GET', '/health', {}, timeoutMs)),
    tokens: async (nn = 0) => z.array(issuedToken).parse(await call('GET', '/tokens', { nn })),
    setSafeMode: (nn, on) => change('/safemode', { nn, on }),
    setActive: (nn) => change('/ha/active', { nn }),
    setStandby: (nn) => change('/ha/standby', { nn }),
    stop: (nn = 0) => change('/namenode/stop', { nn }),
    start: (nn = 0) => change('/namenode/start', { nn }),
    restart: (nn = 0) => change('/namenode/restart', { nn }),
    setCookieLifetime: (nn, seconds) => change('/cookie-lifetime', { nn, seconds }),
    refreshProxyUsers: ({ hosts, users }) => change('/refresh-proxy-users', { hosts, users }),
    setTokenLifetimes: ({ renewIntervalMs, maxLifetimeMs }) =>
      change('/token-lifetimes', { renewIntervalMs, maxLifetimeMs }),
    reset: () => change('/reset', {}),
  };
}

async function fetchText(
  url: URL,
  method: string,
  timeoutMs: number,
): Promise<{ response: Response; text: string }> {
  const response = await fetch(url, { method, signal: AbortSignal.timeout(timeoutMs) });
  return { response, text: await response.text() };
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;
