/** A reply of the fake NameNode, framed as Hadoop 3.4.2 frames it. */
export interface FakeReply {
  readonly status: number;
  readonly statusMessage?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

const CLEARED_COOKIE = { 'Set-Cookie': 'hadoop.auth=; Path=/; HttpOnly' };

/** The servlet container's error page; to a PUT it answers with the reason phrase alone. */
export function page(
  method: string,
  status: number,
  message: string,
  headers: Record<string, string> = {},
): FakeReply {
  if (method !== 'GET') return { status, statusMessage: message, headers, body: '' };
  const text = message.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return {
    status,
    statusMessage: message,
    headers: { ...headers, 'Content-Type': 'text/html;charset=iso-8859-1' },
    body: `<html>
<head>
<meta http-equiv="Content-Type" content="text/html;charset=ISO-8859-1"/>
<title>Error ${status} ${text}</title>
</head>
<body><h2>HTTP ERROR ${status} ${text}</h2>
</body>
</html>
`,
  };
}

/** Jetty's page for a client that prefers JSON, as `ErrorHandler.generateAcceptableResponse` writes it. */
export function forClientThatAccepts(accept: string | undefined, reply: FakeReply): FakeReply {
  const isPage = reply.headers?.['Content-Type']?.startsWith('text/html') === true;
  if (!isPage || accept?.includes('application/json') !== true) return reply;
  const { status, statusMessage = '', headers } = reply;
  return {
    status,
    statusMessage,
    headers: { ...headers, 'Content-Type': 'application/json' },
    body: JSON.stringify({
      servlet: 'jersey',
      message: statusMessage,
      url: '/webhdfs/v1/',
      status: `${status}`,
    }),
  };
}

export function unauthorized(method: string, message: string): FakeReply {
  return page(method, 401, message, { ...CLEARED_COOKIE, 'WWW-Authenticate': 'Negotiate' });
}

export function forbiddenByFilter(method: string, message: string): FakeReply {
  return page(method, 403, message, CLEARED_COOKIE);
}

/** The service's own JSON; the proxy-user filter writes the same object in another order and with line breaks. */
export function remote(javaClassName: string, message: string | null, status = 403): FakeReply {
  const exception = javaClassName.split(/[.$]/u).at(-1);
  return json({ RemoteException: { exception, javaClassName, message } }, status);
}

export function remoteOfFilter(javaClassName: string, message: string): FakeReply {
  const exception = javaClassName.split(/[.$]/u).at(-1);
  const body = JSON.stringify({ RemoteException: { message, exception, javaClassName } }, undefined, 2);
  return { ...json({}, 403), body };
}

export function json(value: unknown, status = 200): FakeReply {
  return { status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) };
}

export const INVALID_TOKEN = 'org.apache.hadoop.security.token.SecretManager$InvalidToken';
export const ACCESS_CONTROL = 'org.apache.hadoop.security.AccessControlException';
export const ILLEGAL_ARGUMENT = 'java.lang.IllegalArgumentException';
export const AUTHORIZATION = 'org.apache.hadoop.security.authorize.AuthorizationException';
