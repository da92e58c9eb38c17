import { HadoopConfigurationError, type ConfigurationProblem } from './hadoop-configuration-error.ts';
import { currentKey } from './defaults-and-deprecations.ts';
import { expandVariables, type ExpansionSources } from './expand-variables.ts';

/** One `<property>` as it stands in a file. */
export interface PropertyDefinition {
  readonly name: string;
  /** Undefined when `<value>` is missing or empty: then nothing is set, but `final` still counts. */
  readonly value: string | undefined;
  readonly final: boolean;
  /** Undefined for Hadoop's own defaults. */
  readonly file?: string;
  readonly line?: number;
}

type Sources = Omit<ExpansionSources, 'property'>;

/**
 * Hadoop properties with the semantics of Java's `Configuration`: later definitions win unless an earlier one was
 * final, deprecated names stand for their successors, `${...}` is expanded on reading.
 *
 * Values may hold passwords, therefore nothing here prints or serializes them.
 */
export class HadoopProperties {
  readonly #values = new Map<string, PropertyDefinition & { readonly value: string }>();
  readonly #finals = new Map<string, PropertyDefinition>();
  readonly #warnings: ConfigurationProblem[] = [];
  readonly #sources: ExpansionSources;

  constructor(sources: Sources = { environment: {}, systemProperties: {} }) {
    this.#sources = { ...sources, property: (name) => this.#values.get(currentKey(name))?.value };
  }

  /** For tests and for callers that have no files. */
  static of(properties: Readonly<Record<string, string>>, sources?: Sources): HadoopProperties {
    const result = new HadoopProperties(sources);
    for (const [name, value] of Object.entries(properties)) result.define({ name, value, final: false });
    return result;
  }

  /** Loads one definition after all the earlier ones. */
  define(definition: PropertyDefinition): void {
    const { value, final } = definition;
    const name = currentKey(definition.name);
    const earlierFinal = this.#finals.get(name);
    const earlier = this.#values.get(name);
    if (value !== undefined && earlierFinal === undefined) {
      if (definition.file === undefined && earlier?.file !== undefined && earlier.value !== value) {
        this.warn({
          ...earlier,
          property: name,
          message:
            "has no effect here: Hadoop's hdfs-default.xml overrides core-site.xml; move it to hdfs-site.xml",
        });
      }
      this.#values.set(name, { ...definition, name, value });
    } else if (value !== undefined && value !== earlier?.value && definition.file !== undefined) {
      this.warn({
        ...definition,
        property: name,
        message: `is ignored: an earlier file (${earlierFinal?.file ?? 'default'}) declares the property final`,
      });
    }
    if (final) this.#finals.set(name, definition);
  }

  /** Sets a value over everything, also over final ones. */
  override(name: string, value: string): void {
    const key = currentKey(name);
    this.#values.set(key, { name: key, value, final: false });
  }

  warn({ file, line, property, message }: ConfigurationProblem): void {
    this.#warnings.push({
      ...(file === undefined ? {} : { file }),
      ...(line === undefined ? {} : { line }),
      ...(property === undefined ? {} : { property }),
      message,
    });
  }

  /** What Hadoop accepts without a word although it is probably not meant. */
  get warnings(): readonly ConfigurationProblem[] {
    return [...this.#warnings];
  }

  /** All names that have a value, in the order they were first defined. */
  names(): readonly string[] {
    return [...this.#values.keys()];
  }

  /** The file that defines the property, undefined for defaults and overrides. */
  fileOf(name: string): string | undefined {
    return this.#values.get(currentKey(name))?.file;
  }

  /** The expanded value, untrimmed. Throws HadoopConfigurationError where Hadoop throws. */
  get(name: string): string | undefined {
    // Hadoop trims the name that it looks up, not the one that it stores.
    const definition = this.#values.get(currentKey(name.trim()));
    if (definition === undefined) return undefined;
    const expansion = expandVariables(definition.value, this.#sources);
    if (expansion.outcome === 'too-deep') {
      throw this.error(
        name,
        'refers to itself in a loop, or through 20 or more ${variables}; write the value out',
      );
    }
    return expansion.value;
  }

  /** The expanded value without surrounding blanks, undefined if nothing is left. */
  getTrimmed(name: string): string | undefined {
    const value = this.get(name)?.trim();
    return value === '' ? undefined : value;
  }

  /** A comma list, entries trimmed, empty ones dropped. */
  getList(name: string): readonly string[] {
    return (this.get(name) ?? '').split(',').flatMap((entry) => entry.trim() || []);
  }

  /** Like Hadoop's: `true` and `false` in any case, everything else is the default. */
  getBoolean(name: string, defaultValue: boolean): boolean {
    const value = this.getTrimmed(name)?.toLowerCase();
    return value === 'true' || (value === 'false' ? false : defaultValue);
  }

  /** A problem of a property, with the file it comes from. */
  problem(name: string, message: string): ConfigurationProblem {
    const property = currentKey(name);
    const definition = this.#values.get(property);
    return {
      ...(definition?.file === undefined ? {} : { file: definition.file }),
      ...(definition?.line === undefined ? {} : { line: definition.line }),
      property,
      message,
    };
  }

  error(name: string, message: string): HadoopConfigurationError {
    return new HadoopConfigurationError(this.problem(name, message));
  }
}
