// Lines to terminal rows. Nothing is cut: a long line goes on in rows marked `> `, so that no text can place itself
// at the start of a row and pass for another field.

const FIRST = '  ';
const CONTINUED = '> ';

/**
 * Rows at most `columns` wide, never fewer than one per line. Lines must already have hidden characters written
 * out. Every character above U+02FF counts two columns: too early a break is harmless, too late a one is not.
 */
export function wrapRows(lines: readonly string[], columns: number): readonly string[] {
  const room = Math.max(2, columns - FIRST.length);
  return lines.flatMap((line) => {
    const parts = breakLine(line, room);
    return parts.map((part, at) => `${at === 0 ? FIRST : CONTINUED}${part}`);
  });
}

function breakLine(line: string, room: number): string[] {
  const parts: string[] = [];
  let part = '';
  let used = 0;
  for (const character of line) {
    const width = character > '\u02ff' ? 2 : 1;
    if (used + width > room) {
      parts.push(part);
      part = '';
      used = 0;
    }
    part += character;
    used += width;
  }
  return [...parts, part];
}
