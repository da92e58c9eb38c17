import { memberOf, parseHadoopJson } from './http/parse-json.ts';
import { safeServerText } from './server-text.ts';

/** What of a reply the classification looks at. */
export interface HadoopReplyText {
  readonly status: number;
  readonly statusMessage: string;
  readonly contentType: string;
  readonly body: string;
}

/** What a server said went wrong, wherever in the reply it said so. */
export interface ServerException {
  /**
   * `remote-exception`: Hadoop's JSON, written by the service itself. `page`: an error page of the servlet container
   * (Jetty) for the authentication filter in front of the service, in HTML, or in JSON when the client prefers that. `reason`: the body is empty and the reason phrase
   * is all there is (the same filter, to a PUT; KMS for its token operations). `text`: a plain body (the
   * ResourceManager, which labels it JSON).
   */
  readonly form: 'remote-exception' | 'page' | 'reason' | 'text';
  /** Simple Java class name. */
  readonly exception: string | undefined;
  /** Safe to log; empty when the server gave none. */
  readonly message: string;
}

/** `package.Outer$Name: message`, as Throwable.toString() writes it. */
const THROWABLE = /^(?:[a-z_]\w*\.)*(?:\w+\$)*(?<name>[A-Z]\w*)(?::\s*(?<message>.*))?$/su;
const SIMPLE_NAME = /^[A-Za-z_]\w{0,99}$/u;

export function readServerException(reply: HadoopReplyText): ServerException {
  const json = parse(reply.body);
  return readRemoteException(json) ?? readJsonPage(json) ?? readPage(reply) ?? readText(reply);
}

function parse(body: string): unknown {
  try {
    return parseHadoopJson(body);
  } catch {
    return undefined;
  }
}

/**
 * `{"servlet":...,"message":...,"url":...,"status":"403"}`: Jetty's `ErrorHandler.generateAcceptableResponse` for a
 * client that accepts JSON.
 */
function readJsonPage(parsed: unknown): ServerException | undefined {
  const message = memberOf(parsed, 'message');
  if (typeof message !== 'string' || typeof memberOf(parsed, 'url') !== 'string') return undefined;
  return memberOf(parsed, 'status') === undefined ? undefined : { form: 'page', ...readThrowable(message) };
}

/** `{"RemoteException":{"exception":...,"javaClassName":...,"message":...}}`, as `JsonUtil.toJsonString` writes it. */
function readRemoteException(parsed: unknown): ServerException | undefined {
  const remote = memberOf(parsed, 'RemoteException');
  if (remote === undefined) return undefined;
  const message = memberOf(remote, 'message');
  return {
    form: 'remote-exception',
    exception: simpleName(memberOf(remote, 'exception')) ?? simpleName(memberOf(remote, 'javaClassName')),
    message: typeof message === 'string' ? safeServerText(message) : '',
  };
}

function simpleName(value: unknown): string | undefined {
  const name = typeof value === 'string' ? value.split(/[.$]/u).at(-1) : undefined;
  return name !== undefined && SIMPLE_NAME.test(name) ? name : undefined;
}

function readPage(reply: HadoopReplyText): ServerException | undefined {
  if (!/^text\/html\b/iu.test(reply.contentType) || reply.body.trim() === '') return undefined;
  const title = /<title>([^<]*)<\/title>/iu.exec(reply.body)?.[1] ?? '';
  const text = unescapeHtml(title).replace(/^\s*Error\s+\d{3}\s*/u, '');
  return { form: 'page', ...readThrowable(text === '' ? reply.statusMessage : text) };
}

function readText(reply: HadoopReplyText): ServerException {
  const body = reply.body.trim();
  return body === ''
    ? { form: 'reason', ...readThrowable(reply.statusMessage) }
    : { form: 'text', ...readThrowable(body) };
}

function readThrowable(text: string): { exception: string | undefined; message: string } {
  const trimmed = text.trim();
  const match = THROWABLE.exec(trimmed);
  const name = match?.groups?.['name'];
  if (name === undefined || !/(?:Exception|Error|InvalidToken|NoMatchingRule)$/u.test(name)) {
    return { exception: undefined, message: safeServerText(trimmed) };
  }
  return { exception: simpleName(name), message: safeServerText(match?.groups?.['message'] ?? '') };
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  '#39': "'",
  '#x27': "'",
  amp: '&',
};

function unescapeHtml(text: string): string {
  return text.replaceAll(
    /&([a-z]+|#\w+);/giu,
    (entity, name: string) => ENTITIES[name.toLowerCase()] ?? entity,
  );
}
