const MAX_DEPTH = 32;

const NAME = String.raw`[\p{L}_:][\p{L}\p{N}_:.\-]*`;
const ATTRIBUTES = String.raw`(?:\s+${NAME}\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*`;
// Sticky, and no two neighbouring parts can match the same character, so that each runs in linear time.
const START_TAG = new RegExp(String.raw`<(${NAME})${ATTRIBUTES}(/?)>`, 'uy');
const END_TAG = new RegExp(String.raw`</(${NAME})\s*>`, 'uy');
const INSTRUCTION = new RegExp(String.raw`<\?${NAME}${ATTRIBUTES}\?>`, 'uy');

/** Where in the text a check failed, and what to do about it. Quotes nothing of the text. */
export interface MarkupProblem {
  readonly offset: number;
  readonly message: string;
}

/**
 * Walks the markup of an XML document once and returns the first reason to refuse it: it is not well-formed, has a
 * DOCTYPE (entities can read files and fill the memory) or nests more than 32 elements.
 *
 * The parser behind this check forgives nearly everything, which would turn a typing error into a property that is
 * silently missing.
 */
export function findMarkupProblem(text: string): MarkupProblem | undefined {
  const open: { readonly name: string; readonly offset: number }[] = [];
  let rootSeen = false;
  let end = 0;
  for (let at = text.indexOf('<'); at !== -1; at = text.indexOf('<', end)) {
    if (open.length === 0 && text.slice(end, at).trim() !== '') {
      return { offset: end, message: 'there is text outside the root element; remove it' };
    }
    const step = readMarkup(text, at);
    if (typeof step === 'string') return { offset: at, message: step };
    end = step.end;
    if (step.kind === 'start') {
      if (open.length === 0 && rootSeen) {
        return { offset: at, message: 'there is a second root element; wrap all in one <configuration>' };
      }
      rootSeen = true;
      if (!step.empty) open.push({ name: step.name, offset: at });
      if (open.length > MAX_DEPTH) return { offset: at, message: `elements nest deeper than ${MAX_DEPTH}` };
    } else if (step.kind === 'end') {
      if (open.pop()?.name !== step.name) {
        return { offset: at, message: 'this end tag does not match the start tag before it' };
      }
    } else if (step.kind === 'cdata' && open.length === 0) {
      return { offset: at, message: 'there is text outside the root element; remove it' };
    }
  }
  const unclosed = open.pop();
  if (unclosed !== undefined) return { offset: unclosed.offset, message: 'this element is never closed' };
  if (text.slice(end).trim() !== '') {
    return { offset: end, message: 'there is text outside the root element; remove it' };
  }
  return rootSeen
    ? undefined
    : { offset: 0, message: 'it has no root element; write <configuration>...</configuration>' };
}

type Markup =
  | { readonly kind: 'start'; readonly end: number; readonly name: string; readonly empty: boolean }
  | { readonly kind: 'end'; readonly end: number; readonly name: string }
  | { readonly kind: 'cdata' | 'other'; readonly end: number };

/** The piece of markup at `at`, or why there is none. */
function readMarkup(text: string, at: number): Markup | string {
  if (text.startsWith('<!--', at)) {
    const end = text.indexOf('-->', at + 4);
    return end === -1 ? 'this comment is never closed' : { kind: 'other', end: end + 3 };
  }
  if (text.startsWith('<![CDATA[', at)) {
    const end = text.indexOf(']]>', at + 9);
    return end === -1 ? 'this CDATA section is never closed' : { kind: 'cdata', end: end + 3 };
  }
  if (text.startsWith('<!', at)) {
    return 'DOCTYPE and entity declarations are refused; remove them and use xi:include or ${property} instead';
  }
  if (text.startsWith('<?', at)) {
    const match = matchAt(INSTRUCTION, text, at);
    return match === null
      ? 'this processing instruction is malformed or unknown; remove it'
      : { kind: 'other', end: INSTRUCTION.lastIndex };
  }
  if (text.startsWith('</', at)) {
    const name = matchAt(END_TAG, text, at)?.[1];
    return name === undefined ? 'this end tag is malformed' : { kind: 'end', end: END_TAG.lastIndex, name };
  }
  const match = matchAt(START_TAG, text, at);
  const name = match?.[1];
  if (name === undefined) {
    return 'this start tag is malformed, or a < in a value is not written as &lt;';
  }
  return { kind: 'start', end: START_TAG.lastIndex, name, empty: match?.[2] === '/' };
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
