// Whether a value is in any file under a directory, in the spellings that a program might have given it.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Each file that holds `value`, with the spelling: as it is, JSON-escaped, hex, base64 at any offset, percent-encoded. */
export function filesWith(directory: string, value: Uint8Array | string): readonly string[] {
  const spelled = spellings(Buffer.from(value));
  const found: string[] = [];
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const bytes = readFileSync(file);
    for (const [how, needle] of spelled) if (bytes.includes(needle)) found.push(`${file}: ${how}`);
  }
  return found;
}

function spellings(value: Buffer): readonly (readonly [string, Buffer])[] {
  const text = value.toString('utf8');
  const base64 = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), value]).toString('base64');
    const sure = encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + value.length) * 8) / 6));
    return [`base64 at ${offset}`, Buffer.from(sure)] as const;
  });
  return [
    ['as it is', value],
    ['JSON', Buffer.from(JSON.stringify(text).slice(1, -1))],
    ['hex', Buffer.from(value.toString('hex'))],
    ['percent', Buffer.from(encodeURIComponent(text))],
    ...base64,
  ];
}
