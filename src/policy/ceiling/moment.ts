// Times of policy documents.

/** Milliseconds of a time that exists (the schema has checked its form), or null (such as February 30). */
export function momentMs(text: string): number | null {
  const ms = Date.parse(text);
  return Number.isFinite(ms) && new Date(ms).toISOString() === text.replace('Z', '.000Z') ? ms : null;
}
