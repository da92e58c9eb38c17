import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { portNames } from './ports.ts';
import type { Ports } from './ports.ts';
import {
  forgetAllButPorts,
  mergeSettings,
  readSavedSettings,
  readSettings,
  writeSettings,
} from './settings.ts';
import { UsageError } from './usage-error.ts';

const ports = Object.fromEntries(portNames.map((name, index) => [name, 20_000 + index])) as Ports;
const nothing = { ports: {}, pinnedPorts: [] };
const day = 86_400_000;

describe('mergeSettings', () => {
  it('starts with what Hadoop has', () => {
    expect(mergeSettings({}, nothing, ports)).toEqual({
      ha: false,
      prometheus: false,
      controllers: false,
      ports,
      pinnedPorts: [],
      tokenRenewIntervalMs: day,
      tokenMaxLifetimeMs: 7 * day,
    });
  });

  it('leaves alone what is not named', () => {
    const saved = { ...nothing, ha: true, tokenRenewIntervalMs: 1000, tokenMaxLifetimeMs: 5000 };
    expect(mergeSettings({ tokenRenewIntervalMs: 2000 }, saved, ports)).toMatchObject({
      ha: true,
      tokenRenewIntervalMs: 2000,
      tokenMaxLifetimeMs: 5000,
    });
    expect(mergeSettings({ ha: false }, saved, ports).ha).toBe(false);
    expect(mergeSettings({ prometheus: true }, saved, ports)).toMatchObject({ ha: true, prometheus: true });
    expect(mergeSettings({}, { ...saved, prometheus: true }, ports).prometheus).toBe(true);
  });

  it('keeps the controllers that were asked for until they are not wanted', () => {
    const saved = { ...nothing, controllers: 'shared' as const };
    expect(mergeSettings({}, saved, ports).controllers).toBe('shared');
    expect(mergeSettings({ controllers: 'own' }, saved, ports).controllers).toBe('own');
    expect(mergeSettings({ controllers: false }, saved, ports).controllers).toBe(false);
  });

  it('remembers which ports were asked for', () => {
    const saved = { ...nothing, pinnedPorts: ['kdc' as const] };
    expect(mergeSettings({ ports: { 'hdfs-http': 1 } }, saved, ports).pinnedPorts).toEqual([
      'kdc',
      'hdfs-http',
    ]);
  });

  it('refuses an interval longer than the life', () => {
    expect(() => mergeSettings({ tokenMaxLifetimeMs: 1000 }, nothing, ports)).toThrow(UsageError);
  });
});

describe('the file', () => {
  let dir = '';
  let file = '';
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kerbridge-settings-'));
    file = join(dir, 'settings.json');
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('brings back what was written', async () => {
    const options = { ha: true, controllers: 'own', ports: { kdc: 20_000 } } as const;
    const settings = mergeSettings(options, nothing, ports);
    await writeSettings(file, settings);
    expect(await readSettings(file)).toEqual(settings);
  });

  it('holds the ports and nothing else after down', async () => {
    await writeSettings(file, mergeSettings({ ha: true, ports: { kdc: 20_000 } }, nothing, ports));
    await forgetAllButPorts(file);
    expect(await readSettings(file)).toBeUndefined();
    expect(await readSavedSettings(file)).toEqual({ ports, pinnedPorts: ['kdc'] });
    expect(await readFile(file, 'utf8')).not.toContain('ha"');
  });

  it.each([
    ['absent', undefined],
    ['half written', '{"ports": {'],
    ['something else', '[]'],
    ['with a port that is none', '{"ports": {"kdc": 0}}'],
    ['with controllers of an unknown kind', '{"ports": {}, "controllers": true}'],
    ['with an unknown pinned port', '{"ports": {}, "pinnedPorts": ["web"]}'],
  ])('counts as none when it is %s', async (_, text) => {
    if (text !== undefined) {
      await writeFile(file, text);
    }
    expect(await readSettings(file)).toBeUndefined();
    expect(await readSavedSettings(file)).toEqual(nothing);
  });
});
