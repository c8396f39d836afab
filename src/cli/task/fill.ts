// `writ task complete ID` at a terminal: shows what is asked, asks for the fields of the form, and answers as the person
// who acts. Who may not answer is refused before the first question. Whoever goes away before the last yes has answered
// nothing: the task waits on.
import { WritError } from '../../errors.js';
import type { Principal, TaskView, Writ } from '../../runtime/writ.js';
import type { Json } from '../../json.js';
import type { Context } from '../context.js';
import { fillForm } from './fill-form.js';
import { openLinePrompt } from '../line-prompt.js';
import { printable } from '../output.js';

/** Ctrl+C. */
const EXIT_INTERRUPTED = 130;

/** Who answers, at this terminal. */
export interface Answering {
  readonly context: Context;
  readonly writ: Writ;
  readonly by: Principal;
}

/** What was filled in, or the exit code of who went away. Throws TASK_*, POLICY_*, NOT_FOUND, USAGE. */
export async function askForForm(
  { context, writ, by }: Answering,
  id: string,
  show: (view: TaskView) => void,
): Promise<{ readonly output: Json } | number> {
  const { output } = context;
  await writ.requireMayAnswer(id, by);
  const view = await writ.task(id);
  const form = formOf(view);
  show(view);
  const prompt = openLinePrompt(context);
  try {
    const filled = await fillForm(form, by.id, prompt);
    if (filled !== null) return filled;
  } finally {
    prompt.close();
  }
  output.note(`nothing was answered; ${printable(id)} still waits`);
  return prompt.isInterrupted ? EXIT_INTERRUPTED : 0;
}

/** Nobody is asked for what can't be answered. */
function formOf({ record, form }: TaskView): Json {
  const { id, state, answer, run } = record;
  if (form === null) {
    throw new WritError('USAGE', `${id} is answered with its token`, {
      hint: 'give the token that its step was called with, and --output',
    });
  }
  if (answer !== null) {
    throw new WritError('TASK_ANSWERED', `${id} was answered by ${answer.by}`, {
      hint: `see what was answered: writ task show ${id}`,
    });
  }
  if (state === 'open') return form;
  throw new WritError('TASK_CLOSED', `${id} takes no answer: it is ${state}`, {
    hint: `see what became of it: writ workflow status ${run}`,
  });
}
