// One child, seen from outside: boot, one query at a time, SIGKILL. Everything it says is attacker-controlled: an
// answer is JSON of the asked form, or the child has failed. Idle it does not keep the runner alive.
import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { WritError } from '../../errors.js';
import { isObject, readJson, type Json } from '../../json.js';
import type { QueryAnswer } from '../../runtime/ports.js';
import { MAX_ANSWER_CHARACTERS, READY, type Launch, type Order } from './protocol.js';

const BOOT_TIMEOUT_MS = 15_000;
/** Of the child's heap; what needs more ends the child. */
const MEMORY_MIB = 64;
/** The child gives up by itself this much before it is killed, as a part of the limit. */
const OWN_LIMIT = 0.8;

/** `answer`: of the asked form. `limit`: it was killed for its time. `died`: it ended by itself, as a rule for want of memory. */
export type Outcome =
  | { readonly kind: 'answer'; readonly answer: QueryAnswer }
  | { readonly kind: 'limit' | 'died' | 'nonsense' };

export interface QueryChild {
  readonly pid: number;
  isGone(): boolean;
  /** One at a time. Never rejects; after any outcome but `answer` the process is being killed. */
  ask(order: Omit<Order, 'id' | 'timeoutMs'>, limitMs: number): Promise<Outcome>;
  /** Resolves when the process is gone. */
  kill(): Promise<void>;
}

/** Resolves when the library is loaded in it. Throws SANDBOX_UNAVAILABLE; nothing is left then. */
export async function bootChild(launch: Launch): Promise<QueryChild> {
  const child = start(launch);
  let isGone = false;
  const gone = new Promise<void>((resolve) => {
    const end = (): void => {
      isGone = true;
      resolve();
    };
    child.once('exit', end);
    child.once('error', () => {
      if (child.pid === undefined) end();
    });
  });
  const kill = (): Promise<void> => {
    if (!isGone) {
      child.ref(); // or nobody might see its end
      child.kill('SIGKILL');
    }
    return gone;
  };
  const first = await Promise.race([nextMessage(child, BOOT_TIMEOUT_MS), gone.then(() => null)]);
  const { pid } = child;
  if (first !== READY || pid === undefined) {
    await kill();
    throw new WritError('SANDBOX_UNAVAILABLE', 'the process that evaluates JSONata did not start', {
      hint: 'run `writ doctor` to see what this machine lacks',
    });
  }
  const rest = (): void => {
    child.unref();
    child.channel?.unref();
  };
  rest();
  return {
    pid,
    isGone: () => isGone,
    kill,
    async ask(order, limitMs) {
      child.ref();
      child.channel?.ref();
      const told = Promise.race([nextMessage(child, limitMs), gone.then(() => null)]);
      const id = randomUUID();
      const sent: Order = { id, ...order, timeoutMs: Math.ceil(limitMs * OWN_LIMIT) };
      child.send(sent, () => undefined); // that it is dead is seen by `gone`
      const message = await told;
      const isAnswer = typeof message === 'string' && message.startsWith(id);
      const answer = isAnswer ? answerIn(message.slice(id.length), order.fields) : null;
      if (answer !== null) {
        rest();
        return { kind: 'answer', answer };
      }
      const kind = message === TOO_LATE ? 'limit' : isGone ? 'died' : 'nonsense';
      void kill();
      return { kind };
    },
  };
}

const TOO_LATE = Symbol('no message in time');

/** The next message of the child, or TOO_LATE. */
function nextMessage(child: ChildProcess, withinMs: number): Promise<unknown> {
  return new Promise((resolve) => {
    const end = (message: unknown): void => {
      clearTimeout(timer);
      child.off('message', end);
      child.off('exit', end);
      resolve(message);
    };
    const timer = setTimeout(() => end(TOO_LATE), withinMs);
    child.once('message', end);
    child.once('exit', end);
  });
}

/** No environment, no files but the program's and the library's, no code from text, and little memory. */
function start(launch: Launch): ChildProcess {
  const permission = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  try {
    return fork(launch.script, [launch.libraryUrl], {
      cwd: '/',
      env: {},
      execArgv: [
        '--no-warnings',
        '--disable-proto=delete',
        '--frozen-intrinsics',
        '--disallow-code-generation-from-strings',
        `--max-old-space-size=${MEMORY_MIB}`,
        permission,
        `--allow-fs-read=${join(dirname(launch.script), '*')}`,
        `--allow-fs-read=${join(launch.libraryDirectory, '*')}`,
      ],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      detached: true, // a terminal's Ctrl-C is for the runner
    });
  } catch (cause) {
    throw new WritError('SANDBOX_UNAVAILABLE', 'the process that evaluates JSONata could not be started', {
      cause,
    });
  }
}

/** Null = not what was asked for. */
function answerIn(text: string, fields: Order['fields']): QueryAnswer | null {
  if (text.length > MAX_ANSWER_CHARACTERS) return null;
  let told: Json;
  try {
    told = readJson(text);
  } catch {
    return null; // no answer is an outcome of its own
  }
  if (!isObject(told)) return null;
  const { ok, values, field, expression, problem, message } = told;
  if (ok === true) {
    const isWhole = isObject(values) && Object.keys(fields).every((name) => Object.hasOwn(values, name));
    return isWhole ? { ok, values } : null;
  }
  if (typeof field !== 'string' || typeof expression !== 'string' || typeof message !== 'string') return null;
  const kind = (['undefined', 'type', 'error', 'limit'] as const).find((one) => one === problem);
  return ok === false && kind !== undefined ? { ok, field, expression, problem: kind, message } : null;
}
