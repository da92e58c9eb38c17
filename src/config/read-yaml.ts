import { parseDocument } from 'yaml';
import type { ConfigProblem } from './config-problem.ts';

export type YamlResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Far above any real configuration. */
export const MAX_CONFIG_BYTES = 1024 * 1024;
const MAX_ALIASES = 50;

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
      problems: complaints.map(({ message, linePos }) => ({
        path: '',
        // The message goes on with an excerpt of the file, which may be next to anything.
        message: `not valid YAML${linePos === undefined ? '' : ` at line ${linePos[0].line}`}: ${message.split(/ at line |\n/)[0] ?? ''}`,
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
