// How errors look to the workflow; those of dialect 2 as AWS words them: people find the state
// by the number of its event.
import { errorName, WritError } from '../errors.js';
import type { PlanNode } from '../workflow/plan.js';
import type { Frame, StepError } from './state.js';

/** What the workflow sees of an error of ours. */
export function stepError(error: WritError): StepError {
  const { code, kind, message, hint } = error;
  return { name: errorName(code), code, kind, message, ...(hint === undefined ? {} : { hint }) };
}

/** Recorded without the place. */
const BARE: ReadonlySet<string> = new Set([
  'STEP_DATA_LIMIT',
  'STEP_TOLERANCE',
  'STEP_ITEM_READER',
  'STEP_RESULT_WRITER',
]);

/** A missed heartbeat is reported as a timeout; who lists it by its own name still finds it (ASL: errors). */
export function toldName({ name }: StepError): string {
  return name === 'States.HeartbeatTimeout' ? 'States.Timeout' : name;
}

/** As `stepError`, of a state that could not go on with its data. */
export function stateFault(node: PlanNode, frame: Frame, error: WritError): StepError {
  const fault = stepError(error);
  if (BARE.has(error.code)) return fault;
  const where = `the state '${node.name}' (entered at the event id #${frame.enteredEvent})`;
  return { ...fault, message: `An error occurred while executing ${where}. ${error.message}` };
}

/** A failure of the run itself. */
export function runFailure(
  code: 'RUN_TIMEOUT' | 'RUN_FAILED' | 'STEP_DATA_LIMIT',
  message: string,
): StepError {
  const name = code === 'RUN_FAILED' ? 'States.Runtime' : errorName(code);
  return { name, code, kind: 'failure', message };
}
