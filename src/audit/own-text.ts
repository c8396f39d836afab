// Text that outlives the text it was cut from. Engines keep the whole of a text alive for a piece of it (V8 from 13
// characters on), so a run's name kept for the length of a verification would keep its entry of 64 KiB.

/** The same text, sharing no memory with any other. */
export function ownText(text: string): string {
  // The parser copies what it reads; there is no shorter way to ask for a copy.
  return JSON.parse(JSON.stringify(text)) as string;
}
