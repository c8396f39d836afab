// Guest programs of the sandbox contract, compiled on first use and cached by the hash of source and compiler. The
// sources end in `.as`: they are AssemblyScript, not the TypeScript this project compiles.
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import { isDigest } from '../../../src/json.js';
import type { AgentPackage } from '../../../src/runtime/ports.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/writ-probes/', import.meta.url));
const FLAGS = ['--optimize', '--runtime', 'stub', '--exportStart', '_start', '--use', 'abort='];

export function programOf(bytes: Uint8Array): AgentPackage['module'] {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (!isDigest(digest)) throw new Error('sha256 gave no digest');
  return { digest, bytes };
}

/** The probe that tries to get out of a module, verbs in its source. */
export async function probe(): Promise<AgentPackage['module']> {
  const source = await readFile(`${HERE}probe.as`, 'utf8');
  const key = createHash('sha256')
    .update(JSON.stringify([source, FLAGS, asc.version]))
    .digest('hex');
  const cached = `${CACHE}${key}.wasm`;
  try {
    return programOf(new Uint8Array(await readFile(cached)));
  } catch {
    // not compiled yet
  }
  let bytes: Uint8Array | null = null;
  const result = await asc.main(['probe.ts', '--outFile', 'probe.wasm', ...FLAGS], {
    readFile: (name) => (name === 'probe.ts' ? source : null),
    writeFile: (_name, contents) => {
      bytes = new Uint8Array(Buffer.from(contents));
    },
  });
  if (result.error !== null || bytes === null)
    throw new Error(`the probe does not compile: ${result.error?.message ?? 'no output'}`);
  await mkdir(CACHE, { recursive: true });
  await writeFile(cached, bytes);
  return programOf(bytes);
}
