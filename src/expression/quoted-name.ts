// Quoted names and texts inside a path. A backslash before what RFC 9535 escapes (the quote itself, \ / b f n r t and
// uXXXX) is an escape; any other backslash stands for itself, as the States Language has it in recorded runs.

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  '/': '/',
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
};

/** The text quoted from `at` (its opening quote) and where it ends; null without a closing quote. */
export function quotedName(
  source: string,
  at: number,
): { readonly value: string; readonly end: number } | null {
  const quote = source[at];
  let value = '';
  for (let i = at + 1; i < source.length; i++) {
    const char = source[i] ?? '';
    if (char === quote) return { value, end: i + 1 };
    const next = char === '\\' ? (source[i + 1] ?? '') : '';
    const hex = next === 'u' ? /^[0-9a-fA-F]{4}/.exec(source.slice(i + 2, i + 6))?.[0] : undefined;
    if (hex !== undefined) {
      value += String.fromCharCode(Number.parseInt(hex, 16));
      i += 5;
    } else if (next !== '' && (next === quote || Object.hasOwn(ESCAPES, next))) {
      value += ESCAPES[next] ?? next;
      i++;
    } else value += char;
  }
  return null;
}
