import { HadoopConfigurationError, type ConfigurationProblem } from './hadoop-configuration-error.ts';
import { parseXmlDocument, type XmlElement, type XmlNode } from './xml-document.ts';

export interface PropertyItem {
  readonly kind: 'property';
  readonly name: string;
  readonly value: string | undefined;
  readonly final: boolean;
  readonly line: number;
}

export interface IncludeItem {
  readonly kind: 'include';
  readonly href: string;
  /** What counts when the file is not there; undefined without `<xi:fallback>`. */
  readonly fallback: readonly ConfigurationItem[] | undefined;
  readonly line: number;
}

export type ConfigurationItem = PropertyItem | IncludeItem;

export interface ConfigurationDocument {
  readonly items: readonly ConfigurationItem[];
  readonly warnings: readonly ConfigurationProblem[];
}

/**
 * Reads one Hadoop configuration file into its properties and includes, in order. As in Hadoop 3, name, value and
 * final can be elements or attributes of `<property>` (elements win), a name element is trimmed, a value is not, an
 * empty `<value>` sets nothing, `final` counts only if it is exactly `true`, and properties count at any depth.
 *
 * Throws HadoopConfigurationError for what is not XML and for a root other than `<configuration>`.
 */
export function parseConfigurationDocument(bytes: Uint8Array, file: string): ConfigurationDocument {
  const root = parseXmlDocument(bytes, file);
  if (root.name !== 'configuration') {
    const message = 'is not a Hadoop configuration file: its root element must be <configuration>';
    throw new HadoopConfigurationError({ file, line: root.line, message });
  }
  const warnings: ConfigurationProblem[] = [];
  return { items: itemsOf(root.children, { file, warnings }), warnings };
}

interface Context {
  readonly file: string;
  readonly warnings: ConfigurationProblem[];
}

function itemsOf(nodes: readonly XmlNode[], context: Context): ConfigurationItem[] {
  const items: ConfigurationItem[] = [];
  for (const node of nodes) {
    if (typeof node === 'string') continue;
    if (node.name === 'property') {
      const property = propertyOf(node, context);
      if (property !== undefined) items.push(property);
    } else if (node.name === 'include') {
      const include = includeOf(node, context);
      if (include !== undefined) items.push(include);
    } else {
      items.push(...itemsOf(node.children, context));
    }
  }
  return items;
}

function propertyOf(element: XmlElement, context: Context): PropertyItem | undefined {
  let name = element.attributes.get('name');
  let value = element.attributes.get('value');
  let final = element.attributes.get('final');
  for (const child of element.children) {
    if (typeof child === 'string') continue;
    if (child.name === 'include') throw misplacedInclude(child, context.file);
    const text = textOf(child, context.file);
    if (text === '') continue;
    if (child.name === 'name') name = text.trim();
    if (child.name === 'value') value = text;
    if (child.name === 'final') final = text;
  }
  const { line } = element;
  if (name === undefined || name === '') {
    context.warnings.push({ file: context.file, line, message: 'this property has no name and is ignored' });
    return undefined;
  }
  if (final !== 'true' && final?.trim().toLowerCase() === 'true') {
    const message =
      'is not final: Hadoop wants exactly <final>true</final>, in lower case and without blanks';
    context.warnings.push({ file: context.file, line, property: name, message });
  }
  return { kind: 'property', name, value, final: final === 'true', line };
}

function includeOf(element: XmlElement, context: Context): IncludeItem | undefined {
  const { line } = element;
  const parse = element.attributes.get('parse') ?? 'xml';
  if (parse !== 'xml') {
    const message =
      parse === 'text'
        ? 'xi:include with parse="text" is refused: Hadoop 3 reads every include as XML, so its clients fail here too'
        : 'xi:include has an unknown parse attribute; only parse="xml" is possible';
    throw new HadoopConfigurationError({ file: context.file, line, message });
  }
  const href = element.attributes.get('href');
  if (href === undefined || href.trim() === '') {
    context.warnings.push({
      file: context.file,
      line,
      message: 'this xi:include has no href and is ignored',
    });
    return undefined;
  }
  const fallback = element.children.find((child) => typeof child !== 'string' && child.name === 'fallback');
  return {
    kind: 'include',
    href: href.trim(),
    fallback: typeof fallback === 'object' ? itemsOf(fallback.children, context) : undefined,
    line,
  };
}

function textOf(element: XmlElement, file: string): string {
  return element.children
    .map((child) => {
      if (typeof child === 'string') return child;
      if (child.name === 'include') throw misplacedInclude(child, file);
      return textOf(child, file);
    })
    .join('');
}

function misplacedInclude(element: XmlElement, file: string): HadoopConfigurationError {
  return new HadoopConfigurationError({
    file,
    line: element.line,
    message: 'xi:include inside a property is refused; include a file that holds whole properties',
  });
}
