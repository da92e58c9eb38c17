/** Problems of a configuration say what is wrong and what to do in one text, with a semicolon between. */
export function splitFix(
  message: string,
  fallback: string,
): { readonly detail: string; readonly fix: string } {
  const at = message.indexOf('; ');
  if (at === -1) return { detail: message, fix: fallback };
  const fix = message.slice(at + 2);
  return { detail: message.slice(0, at), fix: `${fix.charAt(0).toUpperCase()}${fix.slice(1)}` };
}
