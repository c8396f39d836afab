// What a data directory holds and where: the one place that knows its layout. It is complete when its config file is
// there, which is written last.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WritError } from './errors.js';
import { isObject, type Json } from './json.js';

export interface DataPaths {
  readonly config: string;
  readonly database: string;
  readonly logKey: string;
  readonly locks: string;
  readonly audit: string;
  readonly packages: string;
}

export function pathsOf(data: string): DataPaths {
  return {
    config: join(data, 'config.json'),
    database: join(data, 'writ.db'),
    logKey: join(data, 'keys', 'log.key'),
    locks: join(data, 'locks'),
    audit: join(data, 'audit'),
    packages: join(data, 'packages'),
  };
}

export interface DataConfig {
  readonly origin: string;
  readonly tenant: string;
}

/** Null when there is none; STORE_UNAVAILABLE when it can't be read. */
export async function readConfig(file: string): Promise<DataConfig | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new WritError('STORE_UNAVAILABLE', `can't read ${file}`, { cause: error });
  }
  const config = parsed(text);
  if (isObject(config) && config['v'] === 1) {
    const { origin, tenant } = config;
    if (typeof origin === 'string' && typeof tenant === 'string') return { origin, tenant };
  }
  throw new WritError('STORE_UNAVAILABLE', `${file} is not a config file this version can read`);
}

/** undefined when it is no JSON. */
function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    // The caller says which file can't be read.
    return undefined;
  }
}

/** Fails when there is one already. */
export async function writeConfig(file: string, config: DataConfig): Promise<void> {
  const text = `${JSON.stringify({ v: 1, ...config }, null, 2)}\n`;
  await writeFile(file, text, { mode: 0o600, flag: 'wx' });
}
