// The evidence page as a file: one HTML document that holds the bundle, the verifier and nothing to fetch. Script and
// style are the page's own, named by their hashes in its content security policy; the bundle stands in one data block
// that no browser runs. Only constant text and escaped JSON go into the markup.
import { WritError } from '../../errors.js';
import { encodeBase64 } from '../base64.js';
import { decodeUtf8 } from '../json-reader.js';
import { sha256 } from '../sha256.js';

/** The built verifier and its style sheet. */
export interface PageParts {
  /** A classic script; without `</script` and `<!--`. */
  readonly script: string;
  readonly style: string;
}

/** `F.html` for the bundle `json` (`F.json`, byte for byte). Throws INTERNAL on parts that can't stand in a page. */
export function evidencePage(json: Uint8Array, { script, style }: PageParts): Uint8Array {
  if (/<\/script|<!--/i.test(script) || /<\/style/i.test(style)) {
    throw new WritError('INTERNAL', 'the built evidence page holds text that would end its own script');
  }
  return new TextEncoder().encode(
    `${head(script, style)}<body>\n${BODY}${OPEN}${escapeJson(decodeUtf8(json))}</script>\n` +
      `<script>${script}</script>\n</body>\n</html>\n`,
  );
}

/**
 * The bundle in an evidence page (attacker-controlled), byte for byte the `F.json` it was made from; null unless there
 * is exactly one data block. The rest of the page is not looked at.
 */
export function evidenceOfPage(page: Uint8Array): Uint8Array | null {
  const text = decodeUtf8(page);
  const start = text.indexOf(OPEN);
  const from = start + OPEN.length;
  const end = text.indexOf('</script', from);
  if (start < 0 || end < 0 || text.includes(OPEN, from)) return null;
  return new TextEncoder().encode(unescapeJson(text.slice(from, end)));
}

/** Whether `page` is, but for its bundle, the one that these parts make: its own verdict is this software's then. */
export function isOwnPage(page: Uint8Array, json: Uint8Array, parts: PageParts): boolean {
  return decodeUtf8(page) === decodeUtf8(evidencePage(json, parts));
}

/** JSON that can stand in a script element: `<` as its escape, which means the same to every JSON reader. */
export function escapeJson(json: string): string {
  return json.replaceAll('<', '\\u003c');
}

/** The RFC 8785 text again, which never writes `<` as an escape; an escaped backslash before `u003c` stays. */
export function unescapeJson(text: string): string {
  return text.replace(/\\(?:u003c|[^])/g, (escape) => (escape === '\\u003c' ? '<' : escape));
}

const OPEN = '<script type="application/json" id="evidence">';

function head(script: string, style: string): string {
  const policy = [
    "default-src 'none'",
    `script-src '${source(script)}'`,
    `style-src '${source(style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ');
  return (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n' +
    `<meta http-equiv="Content-Security-Policy" content="${policy}">\n` +
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n' +
    '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n' +
    `<title>Evidence of a run</title>\n<style>${style}</style>\n</head>\n`
  );
}

function source(text: string): string {
  return `sha256-${encodeBase64(sha256(new TextEncoder().encode(text)))}`;
}

/** What is there before, or without, the script: nothing was checked. */
const BODY =
  '<main id="page">\n<section id="verdict" class="verdict refused" role="status" aria-live="polite">\n' +
  '<h1>Not checked</h1>\n<p>The verifier in this page did not run: scripts are off, or the page was changed. ' +
  'Nothing here was checked. Use <code>writ audit verify</code> on this file instead.</p>\n</section>\n</main>\n';
