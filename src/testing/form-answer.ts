// What a person of the mock file fills in. As in a run, what the form of the document refuses has no effect, and the next
// answer counts: no simulation goes on with data that no run could have.
import type { Task } from '../engine/index.js';
import { checkValue } from '../workflow/index.js';
import { STATE_GATE } from '../workflow/state-gate.js';
import type { MockPlayer, Played } from './mocks.js';

/**
 * The answer of this task. A form that refuses all of its answers ends the simulation as `Simulate.AnswerRefused`, which
 * no catcher takes: it is a fault of the mocks, not of the workflow.
 */
export function playTask(player: MockPlayer, { node, input }: Task): Played {
  const { functionId = null, form } = node.call.kind === 'function' ? node.call : {};
  // Approved, unless the mocks say something else.
  if (functionId === STATE_GATE && !player.hasMore(node.name))
    return { kind: 'return', output: null, delayMs: 0 };
  let delayMs = 0;
  for (;;) {
    const played = player.play(node.name, input);
    if (played.kind === 'timeout') return played;
    delayMs += played.delayMs;
    if (form === undefined || played.kind === 'throw') return { ...played, delayMs };
    const problems = checkValue(form.schema, played.output, 'answer');
    if (problems.length === 0) return { ...played, delayMs };
    if (!player.hasMore(node.name)) {
      const why = problems.map(({ message }) => message).join('; ');
      const message = `the form of ${node.name} refuses the answer: ${why}`;
      const error = {
        name: 'Simulate.AnswerRefused',
        code: 'INPUT_INVALID',
        kind: 'document',
        message,
      } as const;
      return { kind: 'throw', error, delayMs };
    }
  }
}
