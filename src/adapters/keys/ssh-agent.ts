// A personal key that the person's ssh-agent holds (draft-miller-ssh-agent): the private half never comes here. Named
// `ssh-agent` where the agent has one Ed25519 key, else `ssh-agent:` and its comment or its public key as in
// approvers.yaml. The agent signs the bytes as they are, so its signature is the same as a key file's. What it answers is
// attacker-controlled: bounded, read strictly, and the signature is checked with the key before anybody sees it.
import { spawnSync } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { WritError } from '../../errors.js';

export interface AgentKey {
  /** Its comment in the agent: a label, which proves nothing. */
  readonly name: string;
  /** `ed25519:` and the base64 of the raw 32 bytes. */
  readonly publicKey: string;
  /** The 64-byte signature. Throws FUNCTION_UNAVAILABLE when the agent does not sign, or its person says no. */
  sign(message: Uint8Array): Uint8Array;
}

const PREFIX = 'ssh-agent';
const KEY_TYPE = 'ssh-ed25519';
const REQUEST_IDENTITIES = 11;
const IDENTITIES = 12;
const SIGN_REQUEST = 13;
const SIGNATURE = 14;
const MAX_BYTES = 262_144;
const MAX_KEYS = 1_000;
/** The agent may ask its person (ssh-add -c). */
const TIMEOUT_MS = 60_000;

/** One request and its answer over the agent's socket. Signing is one step of a decision, so this waits for it. */
const EXCHANGE = `
  const socket = require('node:net').connect(process.argv[1]);
  let got = Buffer.alloc(0);
  process.stdin.pipe(socket, { end: false });
  socket.on('error', () => process.exit(1));
  socket.on('close', () => process.exit(1));
  socket.on('data', (part) => {
    got = Buffer.concat([got, part]);
    if (got.length > ${MAX_BYTES}) process.exit(1);
    if (got.length < 4 || got.length < 4 + got.readUInt32BE(0)) return;
    process.stdout.write(got, () => process.exit(0));
  });
`;

/** Whether `key` names a key of the agent and no file; a file of this name is `./ssh-agent`. */
export function isAgentKey(key: string): boolean {
  return key === PREFIX || key.startsWith(`${PREFIX}:`);
}

/** `socket` as in SSH_AUTH_SOCK. Throws NOT_FOUND, FUNCTION_UNAVAILABLE; USAGE when `which` fits more than one key. */
export function loadAgentKey(which: string, socket: string | undefined): AgentKey {
  const path = socket ?? '';
  if (path === '') {
    throw new WritError('FUNCTION_UNAVAILABLE', 'no ssh-agent is running for you: SSH_AUTH_SOCK is not set', {
      hint: 'start one (eval "$(ssh-agent)"; ssh-add), or name a key file',
    });
  }
  const keys = listKeys(path);
  const wanted = which.slice(PREFIX.length + 1);
  const found = keys.filter((key) => wanted === '' || key.name === wanted || key.publicKey === wanted);
  const [only] = found;
  if (only === undefined) {
    throw new WritError(
      'NOT_FOUND',
      `the ssh-agent holds no Ed25519 key${wanted === '' ? '' : ' of this name'}`,
      {
        hint: 'list its keys: ssh-add -l; make one: ssh-keygen -t ed25519',
      },
    );
  }
  if (found.length > 1) {
    throw new WritError('USAGE', `the ssh-agent holds ${found.length} Ed25519 keys that could be meant`, {
      hint: `name one: --key ${PREFIX}:${only.publicKey}`,
    });
  }
  const raw = Buffer.from(only.publicKey.slice('ed25519:'.length), 'base64');
  const blob = Buffer.concat([text(KEY_TYPE), field(raw)]);
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') };
  const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
  return {
    ...only,
    sign(message) {
      const request = Buffer.concat([Buffer.of(SIGN_REQUEST), field(blob), field(message), Buffer.alloc(4)]);
      const [signed = null] = fieldsOf(exchange(path, request, SIGNATURE), 0, 1) ?? [];
      const [type, signature, ...more] = (signed === null ? null : fieldsOf(signed, 0, 2)) ?? [];
      const holds = signature?.length === 64 && verify(null, message, publicKey, signature);
      if (type?.toString() === KEY_TYPE && holds && more.length === 0) return new Uint8Array(signature);
      throw unusable('its signature does not hold for this key');
    },
  };
}

function listKeys(path: string): readonly Pick<AgentKey, 'name' | 'publicKey'>[] {
  const answer = exchange(path, Buffer.of(REQUEST_IDENTITIES), IDENTITIES);
  const count = answer.length < 4 ? MAX_KEYS + 1 : answer.readUInt32BE(0);
  const fields = count > MAX_KEYS ? null : fieldsOf(answer, 4, 2 * count);
  if (fields === null) throw unusable('its list of keys is not one');
  return Array.from({ length: count }, (_, at) => [fields[2 * at], fields[2 * at + 1]]).flatMap(
    ([blob, name]) => {
      const [type, raw] = (blob === undefined ? null : fieldsOf(blob, 0, 2)) ?? [];
      if (type?.toString() !== KEY_TYPE || raw?.length !== 32) return [];
      return [{ name: name?.toString() ?? '', publicKey: `ed25519:${raw.toString('base64')}` }];
    },
  );
}

/** The body of an answer of this type. */
function exchange(path: string, request: Buffer, type: number): Buffer {
  const { status, stdout } = spawnSync(process.execPath, ['-e', EXCHANGE, path], {
    ...{ input: field(request), maxBuffer: MAX_BYTES, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' },
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {},
  });
  if (status !== 0) throw unusable(`nothing answers at ${path}`);
  const [message] = fieldsOf(stdout, 0, 1) ?? [];
  if (message === undefined || message[0] !== type) throw unusable('it has refused');
  return message.subarray(1);
}

/** `count` fields from `at` to the end, each behind its length (RFC 4251); null when that is not what is there. */
function fieldsOf(bytes: Buffer, at: number, count: number): readonly Buffer[] | null {
  const fields: Buffer[] = [];
  let next = at;
  while (fields.length < count) {
    if (next + 4 > bytes.length) return null;
    const end = next + 4 + bytes.readUInt32BE(next);
    if (end > bytes.length) return null;
    fields.push(bytes.subarray(next + 4, end));
    next = end;
  }
  return next === bytes.length ? fields : null;
}

function field(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function text(words: string): Buffer {
  return field(Buffer.from(words));
}

function unusable(why: string): WritError {
  return new WritError('FUNCTION_UNAVAILABLE', `the ssh-agent can't be used: ${why}`, {
    hint: 'look at its keys: ssh-add -l',
  });
}
