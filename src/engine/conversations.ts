// A function that asks for calls before it answers: each call is an attempt of its own in a child of its cursor.
import type { Json } from '../json.js';
import { begun, newFrame } from './frame.js';
import type { CurrentTask, Frame } from './state.js';
import { callId } from './step-path.js';
import type { Walk } from './walk.js';

export class Conversations {
  readonly #walk: Walk;

  constructor(walk: Walk) {
    this.#walk = walk;
  }

  /** The function asks for calls before it answers. */
  ask(
    frame: Frame,
    task: CurrentTask,
    calls: readonly { readonly id: string; readonly functionId: string; readonly input: Json }[],
    transcript: Json,
  ): void {
    this.#walk.rested();
    const turns = task.conversation?.turns ?? 0;
    // Counted over all that the step ever asks for: another iteration does not use a number again.
    const counter = `${frame.call === null ? frame.node : ''}/call`;
    const callsBegun = begun(frame, counter);
    const conversation = {
      turns: turns + 1,
      callsBegun: callsBegun + calls.length,
      transcript,
      answers: calls.map(() => null),
    };
    const attempts = { ...frame.attempts, [counter]: conversation.callsBegun };
    this.#walk.tree.put({ ...frame, attempts, task: { ...task, phase: 'calls', conversation } });
    calls.forEach((call, position) => {
      const id = callId(this.#walk.plan, frame, callsBegun + position);
      const child = { ...newFrame(id, frame, frame.node, this.#walk.nowMs), item: position, call };
      this.#walk.tree.put(this.#walk.beginAttempt(child, call.input));
    });
  }

  answer(
    child: Frame,
    { id, functionId }: { readonly id: string; readonly functionId: string },
    status: 'succeeded' | 'failed' | 'refused',
    output: Json,
  ): void {
    const tree = this.#walk.tree;
    tree.remove(child);
    const asking = child.parent === null ? undefined : tree.frame(child.parent);
    const conversation = asking?.task?.conversation ?? null;
    if (asking?.task == null || conversation === null || asking.isStopping) {
      this.#walk.forks.childGone(child);
      return;
    }
    const answers = conversation.answers.map((before, index) =>
      index === child.item ? { id, functionId, status, output } : before,
    );
    const task = { ...asking.task, conversation: { ...conversation, answers } };
    const isOver = answers.every((one) => one !== null);
    tree.put(isOver ? this.#walk.beginAttempt(asking, task.input, { again: task }) : { ...asking, task });
  }
}
