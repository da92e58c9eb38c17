import { XMLParser } from 'fast-xml-parser';

import { findMarkupProblem } from './check-xml-markup.ts';
import { HadoopConfigurationError } from './hadoop-configuration-error.ts';
import { LineIndex } from './line-index.ts';

export interface XmlElement {
  /** Without namespace prefix: Hadoop's own parser looks at local names only. */
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlNode[];
  /** Where its start tag begins, from 1. */
  readonly line: number;
}

/** An element, or text with its entities resolved. Comments and processing instructions are dropped. */
export type XmlNode = XmlElement | string;

const TEXT = '#text';
const CDATA = '#cdata';
const ATTRIBUTES = ':@';
const META_DATA: unknown = XMLParser.getMetaDataSymbol();

const PARSER = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  removeNSPrefix: true,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  // Entities are resolved below: only XML's five and character references, nothing a document could define.
  processEntities: false,
  textNodeName: TEXT,
  cdataPropName: CDATA,
  captureMetaData: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  jPath: false,
});

/**
 * Parses an XML document without DOCTYPE and returns its root element.
 *
 * Hadoop's `Configuration` expands internal and external entities of a DOCTYPE; here any DOCTYPE is refused, since
 * entities can read files and fill the memory. Throws HadoopConfigurationError, whose message quotes nothing of the
 * document, because configuration files hold passwords.
 */
export function parseXmlDocument(bytes: Uint8Array, file: string): XmlElement {
  const text = decodeText(bytes, file);
  const lines = new LineIndex(text);
  const problem = findMarkupProblem(text);
  if (problem !== undefined) throw malformed(file, lines.lineAt(problem.offset), problem.message);
  const nodes = toNodes(parseTree(text, file), { file, lines }, 0);
  const root = nodes.find((node) => typeof node !== 'string');
  if (root === undefined) throw malformed(file, 1, 'it has no root element');
  return root;
}

function decodeText(bytes: Uint8Array, file: string): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new HadoopConfigurationError({ file, message: 'is not valid UTF-8; save the file as UTF-8' });
  }
  const encoding = /^<\?xml[^>]*\sencoding\s*=\s*["']([^"'>]*)["']/.exec(text)?.[1];
  // Pure ASCII reads the same under every encoding people declare in these files.
  if (encoding !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(encoding) && /[^\0-\x7f]/.test(text)) {
    throw new HadoopConfigurationError({
      file,
      line: 1,
      message: 'declares an encoding other than UTF-8; save the file as UTF-8 and change the XML declaration',
    });
  }
  // oxlint-disable-next-line no-control-regex -- the characters that XML 1.0 forbids are control characters
  const forbidden = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.exec(text);
  if (forbidden !== null) {
    throw malformed(
      file,
      new LineIndex(text).lineAt(forbidden.index),
      'it holds a character that XML does not allow',
    );
  }
  return text;
}

function parseTree(text: string, file: string): unknown {
  try {
    return PARSER.parse(text);
  } catch {
    // The parser's message may quote the document.
    throw malformed(file, undefined, 'an element or attribute has a name that is not allowed');
  }
}

interface Source {
  readonly file: string;
  readonly lines: LineIndex;
}

function toNodes(tree: unknown, source: Source, parentIndex: number): XmlNode[] {
  const nodes: XmlNode[] = [];
  if (!Array.isArray(tree)) return nodes;
  for (const item of tree as readonly unknown[]) {
    if (typeof item !== 'object' || item === null) continue;
    for (const [name, value] of Object.entries(item)) {
      if (name === ATTRIBUTES) continue;
      if (name === TEXT) {
        nodes.push(resolveEntities(String(value), source, parentIndex));
      } else if (name === CDATA) {
        nodes.push(plainText(value));
      } else {
        nodes.push(toElement(name, item, value, source));
      }
    }
  }
  return nodes;
}

function toElement(name: string, item: object, children: unknown, source: Source): XmlElement {
  const index = startIndex(item);
  const attributes = new Map<string, string>();
  const raw: unknown = Reflect.get(item, ATTRIBUTES);
  if (typeof raw === 'object' && raw !== null) {
    for (const [attribute, value] of Object.entries(raw)) {
      const normalized = String(value).replaceAll(/[\t\r\n]/g, ' ');
      attributes.set(attribute.slice(1), resolveEntities(normalized, source, index));
    }
  }
  return {
    name,
    attributes,
    children: toNodes(children, source, index),
    line: source.lines.lineAt(index),
  };
}

function startIndex(item: object): number {
  const metaData: unknown = typeof META_DATA === 'symbol' ? Reflect.get(item, META_DATA) : undefined;
  if (typeof metaData !== 'object' || metaData === null) return 0;
  const index: unknown = Reflect.get(metaData, 'startIndex');
  return typeof index === 'number' ? index : 0;
}

function plainText(cdata: unknown): string {
  const first: unknown = Array.isArray(cdata) ? cdata[0] : undefined;
  return typeof first === 'object' && first !== null ? String(Reflect.get(first, TEXT)) : '';
}

const PREDEFINED = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
]);

function resolveEntities(text: string, source: Source, index: number): string {
  return text.replaceAll(/&([^;&\s]{0,32};)?/g, (_, reference: string | undefined) => {
    const name = reference?.slice(0, -1) ?? '';
    const resolved = PREDEFINED.get(name) ?? characterReference(name);
    if (resolved === undefined) {
      const problem =
        'an & that starts none of &lt; &gt; &amp; &quot; &apos; or a character reference: write &amp;';
      throw malformed(source.file, source.lines.lineAt(index), problem);
    }
    return resolved;
  });
}

function characterReference(name: string): string | undefined {
  const digits = /^#(?:x([0-9a-f]+)|([0-9]+))$/i.exec(name);
  if (digits === null) return undefined;
  const code = digits[1] === undefined ? Number(digits[2]) : Number.parseInt(digits[1], 16);
  const allowed =
    code === 0x9 ||
    code === 0xa ||
    code === 0xd ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff);
  return allowed ? String.fromCodePoint(code) : undefined;
}

function malformed(file: string, line: number | undefined, what: string): HadoopConfigurationError {
  return new HadoopConfigurationError({
    file,
    ...(line === undefined ? {} : { line }),
    message: `cannot be read as XML: ${what}`,
  });
}
