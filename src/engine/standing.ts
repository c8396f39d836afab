// What a cursor stands at, by its own fields alone.
import type { Frame } from './state.js';

/** What a cursor does next, or waits for. */
export type Standing =
  | 'runnable'
  | 'ask'
  | 'ready'
  | 'approval'
  | 'running'
  | 'lost'
  | 'calls'
  /** An answer from outside is waited for: of a person, or of whoever has the token. */
  | 'person'
  | 'callback'
  | 'timer'
  | 'fork'
  | 'stopping';

export function standingOf(frame: Frame): Standing {
  const { task, fork, ask } = frame;
  if (task?.phase === 'running') return frame.isStopping ? 'stopping' : 'running';
  if (task?.phase === 'callback') {
    if (frame.isStopping) return 'stopping';
    return task.waiting?.by === 'person' ? 'person' : 'callback';
  }
  if (frame.isStopping) return 'fork';
  if (ask !== null) return 'ask';
  if (frame.wakeAtMs !== null) return 'timer';
  if (task !== null) return task.phase;
  return fork === null ? 'runnable' : 'fork';
}

/** An approval is waited for that holds up everything else. */
export function isSync({ task }: Frame, standing: Standing): boolean {
  return standing === 'approval' && task?.approval?.isAsync === false;
}
