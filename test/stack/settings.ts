import { z } from 'zod';
import { readJsonIfPresent, writeFileAtomically } from './files.ts';
import { portNames } from './ports.ts';
import { UsageError } from './usage-error.ts';
import type { PortName, Ports } from './ports.ts';

/**
 * Whose credentials the controllers have: each those of its own service account, as `--use-service-account-credentials`
 * gives them and clusters have them by default, or all those of the controller manager.
 */
export const controllerAccounts = ['own', 'shared'] as const;
export type ControllerAccounts = (typeof controllerAccounts)[number];

/** What an `up` may ask for; what it doesn't name stays as the running stack has it. */
export interface StackOptions {
  /** A second HDFS with two NameNodes. */
  readonly ha?: boolean;
  /** A Prometheus, which scrapes what tests tell it. */
  readonly prometheus?: boolean;
  /** A controller manager, which makes pods of workloads. */
  readonly controllers?: ControllerAccounts | false;
  readonly ports?: Partial<Ports>;
  readonly tokenRenewIntervalMs?: number;
  readonly tokenMaxLifetimeMs?: number;
}

/** What the stack runs with. */
export interface Settings {
  readonly ha: boolean;
  readonly prometheus: boolean;
  readonly controllers: ControllerAccounts | false;
  readonly ports: Ports;
  readonly pinnedPorts: readonly PortName[];
  readonly tokenRenewIntervalMs: number;
  readonly tokenMaxLifetimeMs: number;
}

const day = 24 * 3_600_000;

/** Hadoop's own defaults (hdfs-default.xml). */
const defaults = {
  ha: false,
  prometheus: false,
  controllers: false,
  tokenRenewIntervalMs: day,
  tokenMaxLifetimeMs: 7 * day,
} as const;

const port = z.int().min(1).max(65_535);
const savedSettings = z.object({
  ports: z.object(Object.fromEntries(portNames.map((name) => [name, port.optional()]))),
  pinnedPorts: z.array(z.enum(portNames)).default([]),
  ha: z.boolean().optional(),
  prometheus: z.boolean().optional(),
  controllers: z.union([z.literal(false), z.enum(controllerAccounts)]).optional(),
  tokenRenewIntervalMs: z.int().positive().optional(),
  tokenMaxLifetimeMs: z.int().positive().optional(),
});

/** What the file of an earlier `up` says. A damaged file counts as none: the stack is then set up from the start. */
export interface SavedSettings extends Omit<StackOptions, 'ports'> {
  readonly ports: Partial<Ports>;
  readonly pinnedPorts: readonly PortName[];
}

export async function readSavedSettings(file: string): Promise<SavedSettings> {
  const parsed = savedSettings.safeParse(await readJsonIfPresent(file));
  if (!parsed.success) {
    return { ports: {}, pinnedPorts: [] };
  }
  // zod makes undefined of what is absent; exactOptionalPropertyTypes knows the difference.
  return JSON.parse(JSON.stringify(parsed.data)) as SavedSettings;
}

/** The settings of a stack that was brought up; undefined when it never was, or was brought down. */
export async function readSettings(file: string): Promise<Settings | undefined> {
  const saved = await readSavedSettings(file);
  const { ha, prometheus, controllers, ports, pinnedPorts, tokenRenewIntervalMs, tokenMaxLifetimeMs } = saved;
  if (
    ha === undefined ||
    prometheus === undefined ||
    controllers === undefined ||
    tokenRenewIntervalMs === undefined ||
    tokenMaxLifetimeMs === undefined ||
    portNames.some((name) => ports[name] === undefined)
  ) {
    return undefined;
  }
  return {
    ha,
    prometheus,
    controllers,
    ports: ports as Ports,
    pinnedPorts,
    tokenRenewIntervalMs,
    tokenMaxLifetimeMs,
  };
}

export async function writeSettings(file: string, settings: Settings): Promise<void> {
  await writeFileAtomically(file, `${JSON.stringify(settings, undefined, 2)}\n`);
}

/** After `down` only the ports are remembered. */
export async function forgetAllButPorts(file: string): Promise<void> {
  const { ports, pinnedPorts } = await readSavedSettings(file);
  await writeFileAtomically(file, `${JSON.stringify({ ports, pinnedPorts }, undefined, 2)}\n`);
}

/**
 * Options over what was saved over the defaults; the ports are chosen apart.
 * @throws UsageError for lifetimes that no NameNode would make sense of.
 */
export function mergeSettings(options: StackOptions, saved: SavedSettings, ports: Ports): Settings {
  const pinned = new Set([...saved.pinnedPorts, ...(Object.keys(options.ports ?? {}) as PortName[])]);
  const merged = {
    ha: options.ha ?? saved.ha ?? defaults.ha,
    prometheus: options.prometheus ?? saved.prometheus ?? defaults.prometheus,
    controllers: options.controllers ?? saved.controllers ?? defaults.controllers,
    ports,
    pinnedPorts: portNames.filter((name) => pinned.has(name)),
    tokenRenewIntervalMs:
      options.tokenRenewIntervalMs ?? saved.tokenRenewIntervalMs ?? defaults.tokenRenewIntervalMs,
    tokenMaxLifetimeMs: options.tokenMaxLifetimeMs ?? saved.tokenMaxLifetimeMs ?? defaults.tokenMaxLifetimeMs,
  };
  if (merged.tokenRenewIntervalMs > merged.tokenMaxLifetimeMs) {
    throw new UsageError(
      `the token renew interval (${merged.tokenRenewIntervalMs} ms) is longer than the maximum lifetime ` +
        `(${merged.tokenMaxLifetimeMs} ms); name both`,
    );
  }
  return merged;
}
