const MAX_LENGTH = 400;

/**
 * Control and format characters, line and paragraph separators: they could forge log lines or turn text around.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu;

/**
 * What could authenticate somebody: query parameters with a token, a signed cookie, a Negotiate header, and, as a last
 * net, any run of base64 as long as the shortest delegation token or SPNEGO token. Java class names survive because
 * their segments are short and dotted.
 */
const CREDENTIALS: readonly (readonly [RegExp, string])[] = [
  [/\b(token|delegation|hadoop\.auth)=("[^"]*"|[^\s&"'<>]*)/giu, '$1=[redacted]'],
  [/\bu=[^\s"]*&[^\s"]*\bs=[^\s"]*/gu, '[redacted]'],
  [/\bNegotiate\s+[\w+/=-]{8,}/giu, 'Negotiate [redacted]'],
  [/[\w+/-]{40,}={0,2}/gu, '[redacted]'],
];

/**
 * Text of a server (an error message, a reason phrase), made fit for our log and errors: one line, printable,
 * at most 400 characters, without anything that looks like a token or a cookie.
 */
export function safeServerText(text: string): string {
  // Redacted before it is cut, or half a token at the cut would pass for a short word.
  let safe = text.slice(0, 64 * 1024).replaceAll(UNPRINTABLE, ' ');
  for (const [pattern, replacement] of CREDENTIALS) safe = safe.replaceAll(pattern, replacement);
  safe = safe.replaceAll(/\s+/gu, ' ').trim();
  return safe.length > MAX_LENGTH ? `${safe.slice(0, MAX_LENGTH - 1)}…` : safe;
}
