// Does a text hold a phrase as whole words? Found by search and a look at the neighbouring characters: neither text
// becomes a pattern, and the time is linear in both.

/** Letters, marks, digits and connectors join into words (Unicode UAX #29). */
const WORD = /[\p{L}\p{M}\p{N}\p{Pc}]/u;
/** Scripts that write words without blanks between them: here every place is taken as a boundary. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Case-sensitive, after Unicode composition (NFC). An empty phrase is in no text. */
export function holdsWords(text: string, phrase: string): boolean {
  const within = text.normalize('NFC');
  const wanted = phrase.normalize('NFC');
  if (wanted === '') return false;
  for (let at = within.indexOf(wanted); at >= 0; at = within.indexOf(wanted, at + 1)) {
    const end = at + wanted.length;
    if (
      !joined(lastOf(within, at), firstOf(within, at)) &&
      !joined(lastOf(within, end), firstOf(within, end))
    )
      return true;
  }
  return false;
}

/** The character that ends at `end`, '' at the start of the text. */
function lastOf(text: string, end: number): string {
  const low = text.charCodeAt(end - 1);
  const pair = end > 1 && low >= 0xdc00 && low <= 0xdfff;
  return text.slice(Math.max(0, end - (pair ? 2 : 1)), end);
}

function firstOf(text: string, at: number): string {
  const code = text.codePointAt(at);
  return code === undefined ? '' : String.fromCodePoint(code);
}

function joined(before: string, after: string): boolean {
  // A mark belongs to what stands before it, whatever that is.
  if (/^\p{M}/u.test(after)) return before !== '';
  return WORD.test(before) && WORD.test(after) && !UNSPACED.test(before) && !UNSPACED.test(after);
}
