/** What would end or garble a line, hide in it or turn its order around: control characters, line ends, marks without a width. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu;

/**
 * One line of at most so many characters (UTF-16 units), whatever it quotes. What is unsafe is shown as an escape. Kubernetes
 * puts these texts into an HTTP header (warnings) or on a person's terminal (messages).
 */
export function oneLine(text: string, maxLength: number): string {
  // Twice as much is enough, and whatever comes after it costs nothing.
  const escaped = text
    .slice(0, 2 * maxLength)
    .replaceAll(UNSAFE, (unsafe) => `\\u{${(unsafe.codePointAt(0) ?? 0).toString(16)}}`);
  if (escaped.length <= maxLength && text.length <= 2 * maxLength) return escaped;
  return `${cut(escaped, maxLength - ELLIPSIS.length)}${ELLIPSIS}`;
}

const ELLIPSIS = '...';

/** Not within a pair of surrogates. */
function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/[\uD800-\uDBFF]$/u, '');
}
