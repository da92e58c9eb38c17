import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { parseConfigurationDocument, type ConfigurationItem } from './configuration-document.ts';
import type { IncludeItem } from './configuration-document.ts';
import { CORE_DEFAULTS, HDFS_DEFAULTS } from './defaults-and-deprecations.ts';
import type { ExpansionSources } from './expand-variables.ts';
import { HadoopConfigurationError, ProblemCollector } from './hadoop-configuration-error.ts';
import { HadoopProperties } from './hadoop-properties.ts';
import { isDirectory, readRegularFile } from './read-regular-file.ts';

export interface ReadConfigurationOptions {
  /** For `${env.NAME}`; default: nothing is set. */
  readonly environment?: ExpansionSources['environment'];
  /** For Java system properties such as `${user.name}`; default: none, such references stay as they are. */
  readonly systemProperties?: ExpansionSources['systemProperties'];
  /** More files of the directory, read after hdfs-site.xml if they exist, for example `yarn-site.xml`. */
  readonly additionalFiles?: readonly string[];
  /** Properties that win over all files, also over final ones. */
  readonly overrides?: Readonly<Record<string, string>>;
  readonly limits?: Partial<ReadLimits>;
}

export interface ReadLimits {
  readonly maxFileBytes: number;
  /** Files read for one directory, includes counted each time. */
  readonly maxFiles: number;
  /** Includes within includes. */
  readonly maxIncludeDepth: number;
}

export const DEFAULT_READ_LIMITS: ReadLimits = Object.freeze({
  maxFileBytes: 1024 * 1024,
  maxFiles: 100,
  maxIncludeDepth: 10,
});

/** The properties of one configuration directory. */
export interface HadoopConfiguration {
  readonly properties: HadoopProperties;
  /** Every file that was read, absolute paths, each once: what to watch for changes. */
  readonly files: readonly string[];
}

/**
 * Reads core-site.xml and hdfs-site.xml of a Hadoop configuration directory the way Java's `HdfsConfiguration` does,
 * Hadoop's defaults included where they matter. One of the two may be missing.
 *
 * `<xi:include href>` takes relative paths, absolute paths and file: URLs. A relative one is looked for in the
 * directory first (for Hadoop that is the class path), then beside the including file (as XInclude wants).
 *
 * Rejects with HadoopConfigurationError, which names all problems of all files.
 */
export async function readConfiguration(
  directory: string,
  options: ReadConfigurationOptions = {},
): Promise<HadoopConfiguration> {
  const reader = new DirectoryReader(resolve(directory), options);
  await reader.read();
  return { properties: reader.properties, files: [...reader.files] };
}

class DirectoryReader {
  readonly properties: HadoopProperties;
  readonly files = new Set<string>();
  readonly #directory: string;
  readonly #options: ReadConfigurationOptions;
  readonly #limits: ReadLimits;
  readonly #problems = new ProblemCollector();
  #filesRead = 0;

  constructor(directory: string, options: ReadConfigurationOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#limits = { ...DEFAULT_READ_LIMITS, ...options.limits };
    this.properties = new HadoopProperties({
      environment: options.environment ?? {},
      systemProperties: options.systemProperties ?? {},
    });
  }

  async read(): Promise<void> {
    const file = this.#directory;
    if (!(await isDirectory(file))) {
      const message =
        'is not a directory that can be read; point the setting at your Hadoop configuration directory';
      throw new HadoopConfigurationError({ file, message });
    }
    this.#loadDefaults(CORE_DEFAULTS);
    const core = await this.#loadSiteFile('core-site.xml');
    this.#loadDefaults(HDFS_DEFAULTS);
    const hdfs = await this.#loadSiteFile('hdfs-site.xml');
    if (!core && !hdfs) {
      const message =
        'has neither core-site.xml nor hdfs-site.xml; copy them from a Hadoop client or gateway host';
      throw new HadoopConfigurationError({ file, message });
    }
    for (const name of this.#options.additionalFiles ?? []) await this.#loadSiteFile(name);
    this.#problems.throwIfAny();
    for (const [name, value] of Object.entries(this.#options.overrides ?? {})) {
      this.properties.override(name, value);
    }
  }

  #loadDefaults(defaults: ReadonlyMap<string, string>): void {
    for (const [name, value] of defaults) this.properties.define({ name, value, final: false });
  }

  /** Returns whether the file is there; what is wrong with it is collected. */
  async #loadSiteFile(name: string): Promise<boolean> {
    const found = await this.#problems.attemptAsync(() => this.#loadFile(join(this.#directory, name), []));
    return found ?? true;
  }

  /** `including`: real paths of the files that lead here, the outermost first. */
  async #loadFile(file: string, including: readonly string[]): Promise<boolean> {
    const bytes = await readRegularFile(file, this.#limits.maxFileBytes);
    if (bytes === undefined) return false;
    this.#filesRead += 1;
    if (this.#filesRead > this.#limits.maxFiles) {
      const message = `more than ${this.#limits.maxFiles} files are included; include each file once`;
      throw new HadoopConfigurationError({ file, message });
    }
    const realPath = await realpath(file).catch(() => file);
    if (including.includes(realPath)) {
      throw new HadoopConfigurationError({ file, message: 'includes itself, perhaps by way of other files' });
    }
    if (including.length > this.#limits.maxIncludeDepth) {
      const message = `is included more than ${this.#limits.maxIncludeDepth} files deep; flatten the includes`;
      throw new HadoopConfigurationError({ file, message });
    }
    this.files.add(file);
    const document = parseConfigurationDocument(bytes, file);
    for (const warning of document.warnings) this.properties.warn(warning);
    await this.#loadItems(document.items, file, [...including, realPath]);
    return true;
  }

  async #loadItems(
    items: readonly ConfigurationItem[],
    file: string,
    including: readonly string[],
  ): Promise<void> {
    for (const item of items) {
      if (item.kind === 'property') {
        const { name, value, final, line } = item;
        this.properties.define({ name, value, final, file, line });
      } else {
        await this.#problems.attemptAsync(() => this.#include(item, file, including));
      }
    }
  }

  async #include(item: IncludeItem, file: string, including: readonly string[]): Promise<void> {
    for (const candidate of this.#candidates(item, file)) {
      if (await this.#loadFile(candidate, including)) return;
    }
    if (item.fallback === undefined) {
      const message = `xi:include of "${item.href}": there is no such file; add it, or an <xi:fallback/>`;
      throw new HadoopConfigurationError({ file, line: item.line, message });
    }
    await this.#loadItems(item.fallback, file, including);
  }

  #candidates(item: IncludeItem, file: string): readonly string[] {
    const { href, line } = item;
    const refuse = (why: string): HadoopConfigurationError =>
      new HadoopConfigurationError({ file, line, message: `xi:include of "${href}" is refused: ${why}` });
    if (href.includes('\0')) throw refuse('it is no path');
    if (isAbsolute(href)) return [href];
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(href)?.[1]?.toLowerCase();
    if (scheme === undefined) return [...new Set([join(this.#directory, href), join(dirname(file), href)])];
    if (scheme !== 'file') {
      throw refuse(
        'only files are included; put a copy into the configuration directory and name it by its path',
      );
    }
    try {
      return [fileURLToPath(href)];
    } catch {
      throw refuse('it is no URL of a local file; write file:///path');
    }
  }
}
