// What a data directory holds and where: the one place that knows its layout. It is complete when its config file is
// there, which is written last.
import { lstatSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readBounded } from './adapters/store/durable-file.js';
import { MAX_POLICY_BYTES } from './audit/tlog-policy.js';
import { WritError } from './errors.js';
import { isHex64, isList, isObject, readJson, type Hex, type Json, type JsonObject } from './json.js';
import { MINIMUM_RETENTION_DAYS } from './runtime/erasure/minimum-retention.js';

export interface DataPaths {
  readonly config: string;
  readonly database: string;
  readonly logKey: string;
  readonly locks: string;
  /** Sockets of the runs that speak; nothing in it outlives its process. */
  readonly live: string;
  readonly audit: string;
  readonly packages: string;
  /** Secrets by handle, one file each. */
  readonly secrets: string;
  /** Whom the log asks for cosignatures, a C2SP tlog-policy; absent = nobody. */
  readonly witnesses: string;
  /** What detached runs have told, a file each: progress and failures, no data. */
  readonly logs: string;
  /** What `writ serve` remembers of channels and callback tokens. */
  readonly serve: string;
  /** What distributed Maps read and write, by digest and by name. */
  readonly artifacts: string;
}

export function pathsOf(data: string): DataPaths {
  return {
    config: join(data, 'config.json'),
    database: join(data, 'writ.db'),
    logKey: join(data, 'keys', 'log.key'),
    locks: join(data, 'locks'),
    live: join(data, 'live'),
    audit: join(data, 'audit'),
    packages: join(data, 'packages'),
    secrets: join(data, 'secrets'),
    witnesses: join(data, 'witnesses.policy'),
    logs: join(data, 'logs'),
    serve: join(data, 'serve.db'),
    artifacts: join(data, 'artifacts'),
  };
}

export interface DataConfig {
  readonly origin: string;
  readonly tenant: string;
  /** How often the log is anchored by itself; absent = hourly. */
  readonly anchor?: { readonly everyMs: number };
  /** A time stamp authority (RFC 3161); absent = none. */
  readonly timestamp?: { readonly url: string };
  /** How long payloads stay; `override` says why it is shorter than the minimum. Absent = DEFAULT_RETENTION. */
  readonly retention?: { readonly days: number; readonly override: string | null };
  /** How many of these keys must have signed the policies; absent = none, and a lock is checked all the same. */
  readonly policySigners?: {
    readonly quorum: number;
    readonly signers: readonly string[];
    /** A policy hash that was replaced, and may be in force again all the same. */
    readonly mayReturnTo?: Hex;
  };
  /** How long a process goes on without having found the policy files good; absent = for ever. */
  readonly policyMaxAgeSeconds?: number;
  /** What steps of a run are decided by after a reload; absent = `start`: by the policies of both moments. */
  readonly policyPin?: 'start' | 'current';
}

/** The shortest that needs no reason. */
export const DEFAULT_RETENTION: NonNullable<DataConfig['retention']> = {
  days: MINIMUM_RETENTION_DAYS,
  override: null,
};

/** Null when there is none; STORE_UNAVAILABLE when it can't be read. */
export async function readConfig(file: string): Promise<DataConfig | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    if (code === 'ENOENT') return null;
    if (code === 'ENOTDIR') {
      throw new WritError('USAGE', `${dirname(file)} is no directory, or lies in a file`, {
        hint: 'choose another one: --data DIR',
        cause: error,
      });
    }
    throw new WritError('STORE_UNAVAILABLE', `can't read ${file} (${code})`, {
      hint: 'act as the user who owns the data directory, or choose another one: --data DIR',
      cause: error,
    });
  }
  const config = parsed(text);
  if (isObject(config) && config['v'] === 1) {
    const { origin, tenant } = config;
    if (typeof origin === 'string' && typeof tenant === 'string') {
      return {
        origin,
        tenant,
        ...anchorOf(config, file),
        ...retentionOf(config, file),
        ...signersOf(config, file),
        ...reloadingOf(config, file),
      };
    }
  }
  throw new WritError('STORE_UNAVAILABLE', `${file} is not a config file this version can read`, {
    hint: 'bring it back from a backup: JSON with "v": 1, "origin" (the name in the log\'s vkey) and "tenant"',
  });
}

const MAX_ANCHOR_EVERY_MS = 31 * 86_400_000;

function anchorOf(config: JsonObject, file: string): Pick<DataConfig, 'anchor' | 'timestamp'> {
  const refuse = (why: string): WritError => new WritError('STORE_UNAVAILABLE', `${file}: ${why}`);
  const { anchor, timestamp } = config;
  const everyMs = isObject(anchor) ? anchor['everyMs'] : undefined;
  if (anchor !== undefined) {
    const whole = typeof everyMs === 'number' && Number.isSafeInteger(everyMs);
    if (!whole || everyMs < 0 || everyMs > MAX_ANCHOR_EVERY_MS) {
      throw refuse(`anchor.everyMs is no whole number of milliseconds up to ${MAX_ANCHOR_EVERY_MS}`);
    }
  }
  const url = isObject(timestamp) ? timestamp['url'] : undefined;
  if (
    timestamp !== undefined &&
    (typeof url !== 'string' || !/^https?:\/\//.test(url) || !URL.canParse(url))
  ) {
    throw refuse('timestamp.url is no http or https URL');
  }
  return {
    ...(typeof everyMs === 'number' ? { anchor: { everyMs } } : {}),
    ...(typeof url === 'string' ? { timestamp: { url } } : {}),
  };
}

/** The bytes of witnesses.policy as text, null when there is none. Throws AUDIT_POLICY_INVALID, STORE_*. */
export async function readWitnessFile(file: string): Promise<string | null> {
  const refuse = (why: string): WritError => new WritError('AUDIT_POLICY_INVALID', `${file} ${why}`);
  const bytes = await readBounded(file, MAX_POLICY_BYTES);
  if (bytes === null) {
    if (lstatSync(file, { throwIfNoEntry: false }) === undefined) return null;
    // A FIFO, a directory, a link to nowhere: taken for none, it would silently switch the witnesses off.
    throw refuse('is no file');
  }
  if (bytes.length > MAX_POLICY_BYTES) throw refuse(`is longer than ${MAX_POLICY_BYTES} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new WritError('AUDIT_POLICY_INVALID', `${file} is not UTF-8`, { cause });
  }
}

/** Nobody guesses how long something has to be kept: what can't be understood is refused. */
function retentionOf(config: JsonObject, file: string): Pick<DataConfig, 'retention'> {
  const { retention } = config;
  if (retention === undefined) return {};
  const { days, override = null } = isObject(retention) ? retention : {};
  const whole = typeof days === 'number' && Number.isSafeInteger(days) && days >= 1;
  if (whole && (override === null || typeof override === 'string')) return { retention: { days, override } };
  throw new WritError('STORE_UNAVAILABLE', `${file}: retention.days is no whole number of days`);
}

/** As policy-signers.ts has it, in the one spelling of each key. */
const SIGNER = /^ed25519:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

/** What can't be understood is refused: a demand for signatures must not be lost by a slip. */
function signersOf(config: JsonObject, file: string): Pick<DataConfig, 'policySigners'> {
  const { policySigners } = config;
  if (policySigners === undefined) return {};
  const { quorum, signers, mayReturnTo } = isObject(policySigners) ? policySigners : {};
  if (mayReturnTo !== undefined && (typeof mayReturnTo !== 'string' || !isHex64(mayReturnTo))) {
    throw new WritError('STORE_UNAVAILABLE', `${file}: mayReturnTo of policySigners is no policy hash`);
  }
  const keys = isList(signers) ? signers : [];
  const texts = keys.filter((key) => typeof key === 'string' && SIGNER.test(key));
  const isWhole = typeof quorum === 'number' && Number.isSafeInteger(quorum) && quorum >= 1;
  if (isWhole && texts.length === keys.length && new Set(texts).size >= quorum) {
    const returning = mayReturnTo === undefined ? {} : { mayReturnTo };
    return { policySigners: { quorum, signers: texts.map(String), ...returning } };
  }
  throw new WritError(
    'STORE_UNAVAILABLE',
    `${file}: policySigners needs a quorum from 1 on and at least so many different keys`,
  );
}

/** A bound that is not understood would be none: refused. */
function reloadingOf(
  { policyMaxAgeSeconds, policyPin }: JsonObject,
  file: string,
): Pick<DataConfig, 'policyMaxAgeSeconds' | 'policyPin'> {
  const isWhole =
    policyMaxAgeSeconds === undefined ||
    (typeof policyMaxAgeSeconds === 'number' &&
      Number.isSafeInteger(policyMaxAgeSeconds) &&
      policyMaxAgeSeconds >= 1 &&
      policyMaxAgeSeconds <= MAX_POLICY_AGE_SECONDS);
  if (!isWhole) {
    const message = `${file}: policyMaxAgeSeconds is no whole number of seconds from 1 to ${MAX_POLICY_AGE_SECONDS}`;
    throw new WritError('STORE_UNAVAILABLE', message);
  }
  if (policyPin !== undefined && policyPin !== 'start' && policyPin !== 'current') {
    throw new WritError('STORE_UNAVAILABLE', `${file}: policyPin is start or current`);
  }
  return {
    ...(policyMaxAgeSeconds === undefined ? {} : { policyMaxAgeSeconds }),
    ...(policyPin === undefined ? {} : { policyPin }),
  };
}

/** Four weeks. */
const MAX_POLICY_AGE_SECONDS = 28 * 86_400;

/** The config file's text with another retention and everything else as it was. */
export function withRetention(text: string, retention: NonNullable<DataConfig['retention']>): string {
  const config = parsed(text);
  if (!isObject(config)) throw new WritError('STORE_UNAVAILABLE', 'the config file is no JSON object');
  return `${JSON.stringify({ ...config, retention: { ...retention } }, null, 2)}\n`;
}

/** undefined when it is no JSON. */
function parsed(text: string): Json | undefined {
  try {
    return readJson(text);
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
