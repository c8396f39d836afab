// The engine as this driver sees it: each call with a deadline of its own, because the engine can hang, and each
// failure as an error of ours, decided by status code and call. Nothing here knows a request.
import { WritError } from '../../../errors.js';
import type Dockerode from 'dockerode';

/** One answer of the engine; a start under a broken runtime hangs for ever (measured). */
const CALL_MS = 10_000;

/** An engine's answer that is no success. `status` null: it did not answer. */
export class EngineError extends Error {
  readonly status: number | null;

  constructor(message: string, status: number | null, cause: unknown) {
    super(message, { cause });
    this.name = 'EngineError';
    this.status = status;
  }

  /** The call that it was of: what the engine says of it may hold what a step was given, and is told nobody. */
  get call(): string {
    return this.message.slice(0, this.message.indexOf(':'));
  }
}

/** What the library would take from DOCKER_HOST, DOCKER_CERT_PATH and the like: another engine than the one that was chosen. */
const NOT_OF_THE_ENVIRONMENT = {
  host: '',
  port: '',
  protocol: 'http',
  ca: '',
  cert: '',
  key: '',
  timeout: 0,
} as const;

/** Opens the client of the engine behind this socket; talks to nobody yet. Loads the library, which is heavy. */
export async function openEngine(socketPath: string): Promise<Dockerode> {
  const { default: Docker } = await import('dockerode');
  try {
    return new Docker({ ...NOT_OF_THE_ENVIRONMENT, socketPath });
  } catch (cause) {
    throw new WritError(
      'SANDBOX_UNAVAILABLE',
      'DOCKER_HOST or DOCKER_CERT_PATH of the environment can not be read',
      {
        hint: 'unset them: the engine is the one whose socket docker.yaml names',
        cause,
      },
    );
  }
}

/** The answer of one call within CALL_MS. Throws EngineError. */
export async function ask<Answer>(what: string, call: Promise<Answer>, withinMs = CALL_MS): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new EngineError(`${what}: no answer within ${withinMs} ms`, null, undefined)),
      withinMs,
    );
  });
  try {
    return await Promise.race([call, late]);
  } catch (error) {
    throw engineError(what, error);
  } finally {
    clearTimeout(timer);
  }
}

/** As `ask`; null where the engine says that it has no such thing, or that it is in that state already. */
export async function askUnlessGone<Answer>(what: string, call: Promise<Answer>): Promise<Answer | null> {
  try {
    return await ask(what, call);
  } catch (error) {
    if (error instanceof EngineError && (error.status === 404 || error.status === 409)) return null;
    throw error;
  }
}

/** Nothing ran, because the engine is not there or not able. */
export function unavailable(error: unknown): WritError {
  if (error instanceof WritError) return error;
  const said = error instanceof EngineError ? error : engineError('the engine', error);
  if (said.status === null) {
    return new WritError('SANDBOX_UNAVAILABLE', 'no Docker engine answers', {
      hint: 'start Docker, or choose sandbox: wasm where the step can run there',
      cause: said,
    });
  }
  if (said.status === 400 && /unknown runtime/i.test(said.message)) {
    return new WritError('SANDBOX_RUNTIME_UNKNOWN', 'the engine does not have the container runtime', {
      hint: "register the runtime in the engine's daemon.json; no other one takes its place",
      cause: said,
    });
  }
  return new WritError('SANDBOX_UNAVAILABLE', `the Docker engine refused: ${said.call} (${said.status})`, {
    hint: "see the engine's log; `writ doctor` shows what it keeps",
    cause: said,
  });
}

/** What was asked for may have happened: the engine was reached, and has not said. */
export function isUnanswered(error: unknown): boolean {
  if (!(error instanceof EngineError) || error.status !== null) return false;
  const { code } = Object(error.cause) as { code?: unknown };
  return code !== 'ECONNREFUSED' && code !== 'ENOENT' && code !== 'EACCES';
}

function engineError(what: string, error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const { statusCode, message } = Object(error) as { statusCode?: unknown; message?: unknown };
  return new EngineError(
    `${what}: ${typeof message === 'string' ? message : String(error)}`,
    typeof statusCode === 'number' ? statusCode : null,
    error,
  );
}
