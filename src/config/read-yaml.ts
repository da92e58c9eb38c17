import { parseDocument, type YAMLError } from 'yaml';
import type { ConfigProblem } from './config-problem.ts';

export type YamlResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Far above any real configuration. */
export const MAX_CONFIG_BYTES = 1024 * 1024;
const MAX_ALIASES = 50;

/**
 * Our words for the parser's complaints. Its own quote the file (a tag, an alias, a directive), and somebody will have
 * put a secret there.
 */
const COMPLAINTS: Readonly<Record<YAMLError['code'], string>> = {
  ALIAS_PROPS: 'an alias has no tag or anchor of its own',
  BAD_ALIAS: 'an alias or anchor has no proper name; put a value that starts with * or & in quotes',
  BAD_COLLECTION_TYPE: 'a tag does not fit its value; leave tags out',
  BAD_DIRECTIVE: 'a directive is malformed; leave directives (lines that start with %) out',
  BAD_DQ_ESCAPE: 'an escape within double quotes is unknown; use single quotes, or write \\ for a backslash',
  BAD_INDENT: 'the indentation does not fit',
  BAD_PROP_ORDER: 'a tag or anchor is in the wrong place',
  BAD_SCALAR_START: 'a plain value starts with a reserved character; put it in quotes',
  BLOCK_AS_IMPLICIT_KEY:
    'a mapping or list is where a key should be; is a line indented wrongly, or a value with ": " not in quotes?',
  BLOCK_IN_FLOW: 'an indented mapping or list is within brackets',
  DUPLICATE_KEY: 'a key is given twice; keys of a mapping must be unique',
  IMPOSSIBLE: 'it cannot be parsed',
  KEY_OVER_1024_CHARS: 'a key is longer than 1024 characters',
  MISSING_CHAR: 'a character is missing: a quote, a bracket, a comma, or the colon after a key',
  MULTILINE_IMPLICIT_KEY: 'a key goes over several lines; is the colon after a key missing?',
  MULTIPLE_ANCHORS: 'a value has several anchors',
  MULTIPLE_DOCS: 'there is more than one document in the file',
  MULTIPLE_TAGS: 'a value has several tags; leave tags out',
  NON_STRING_KEY: 'a key is not a text',
  RESOURCE_EXHAUSTION: 'it is nested too deeply',
  TAB_AS_INDENT: 'a tab is used for indentation; use spaces',
  TAG_RESOLVE_FAILED:
    'a tag (a word that starts with !) is unknown or does not fit; leave it out, or put the value in quotes',
  UNEXPECTED_TOKEN: 'something is in the wrong place; are brackets and quotes closed?',
};

/**
 * YAML 1.2 core: plain data only. Tags, duplicate keys, several documents and runaway aliases are refused.
 * An empty text is an empty configuration.
 */
export function readYaml(text: string): YamlResult {
  if (Buffer.byteLength(text) > MAX_CONFIG_BYTES) {
    return problem(`the file is larger than ${MAX_CONFIG_BYTES} bytes`);
  }
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    strict: true,
    uniqueKeys: true,
    merge: false,
    prettyErrors: true,
    logLevel: 'error',
  });
  // An unknown tag is only a warning to the parser.
  const complaints = [...document.errors, ...document.warnings];
  if (complaints.length > 0) {
    return {
      ok: false,
      problems: complaints.map(({ code, linePos }) => ({
        path: '',
        message: `not valid YAML${linePos === undefined ? '' : ` at line ${linePos[0].line}`}: ${COMPLAINTS[code]}`,
      })),
    };
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    return { ok: true, value: value ?? {} };
  } catch {
    return problem(`not valid YAML: an alias is unresolved, or there are more than ${MAX_ALIASES}`);
  }
}

function problem(message: string): YamlResult {
  return { ok: false, problems: [{ path: '', message }] };
}
