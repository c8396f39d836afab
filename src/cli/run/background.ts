// A detached run: its start is durable, and a process of its own goes on with it, on no terminal. Should that process
// die, the run is interrupted as any other, and `writ serve` or `writ workflow resume` goes on with it. What it would say on
// stderr goes into a file of the data directory: progress and failures, never data of the run.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pathsOf } from '../../data-directory.js';
import { WritError } from '../../errors.js';
import type { Writ } from '../../runtime/writ.js';
import { untilSignal, whoActs, withPublishedWrit, type Context } from '../context.js';
import { isAgentKey } from '../../adapters/keys/ssh-agent.js';
import { showProgress } from './show-progress.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/** Resolves when the process is there. Nothing of this one may hold the run any more. */
export async function goOnInBackground(context: Context, runId: string): Promise<{ readonly log: string }> {
  const { data, policies, keyFile, env } = context;
  const { logs } = pathsOf(data);
  const log = join(logs, `${runId}.log`);
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  const stderr = openSync(log, 'a', 0o600);
  const key = keyFile === null ? [] : ['--key', isAgentKey(keyFile) ? keyFile : resolve(keyFile)];
  const words = ['--data', resolve(data), '--policies', resolve(policies), ...key];
  try {
    // stdout would hold what the run came to, which is data.
    const child = spawn(process.execPath, [MAIN, ...words, 'workflow', GO_ON, runId], {
      detached: true,
      stdio: ['ignore', 'ignore', stderr],
      env: { ...env },
    });
    await new Promise<void>((started, failed) => {
      child.once('spawn', started).once('error', failed);
    });
    child.unref();
  } finally {
    closeSync(stderr);
  }
  return { log };
}

/** The command that such a process runs; not for people. */
const GO_ON = 'go-on';

/**
 * Drives a run of the same person that has only just begun: what its start was authorized for, and no more. Nobody is
 * asked here.
 */
export async function goOn(context: Context, runId: string): Promise<number> {
  return withPublishedWrit(context, { drives: true }, async (writ) => {
    const principal = await whoActs(context, writ);
    await requireOwn(writ, runId, principal.id);
    const stop = await showProgress(context, writ, runId);
    const interrupted = await untilSignal(async (signal) => {
      await writ.drive(runId, { stopAt: 'waiting', signal });
    }).finally(stop);
    return interrupted ?? (await writ.status(runId, { nested: 0 })).exitCode;
  });
}

async function requireOwn(writ: Writ, runId: string, who: string): Promise<void> {
  const { initiator } = await writ.status(runId, { nested: 0 });
  if (initiator === who) return;
  throw new WritError('USAGE', `run ${runId} was started by somebody else`, {
    hint: `go on with it: writ workflow resume ${runId}`,
  });
}
