// `writ policy check | explain`: what policy would say. Asks and shows; decides, runs and writes nothing.
import { WritError } from '../../errors.js';
import type { Context } from '../context.js';
import { explainRun } from './explain-run.js';
import { answerOf, longText, shortText } from './answer.js';
import { loadHere, questionOf, wholeQuestion, type QuestionFlags } from './question.js';

const DENIED = 3;

/** Exit 0 where it is allowed, if need be with an approval; 3 where it is denied. */
export async function checkPolicy(
  context: Context,
  words: readonly string[],
  flags: QuestionFlags,
): Promise<number> {
  const { output, policies } = context;
  const snapshot = await loadHere(policies);
  const { question, assumed } = await questionOf(context, snapshot, words, flags);
  const answer = answerOf(snapshot, question, assumed);
  if (output.json) output.value(answer);
  else output.line(shortText(answer, output.colors));
  return answer.verdict === 'deny' ? DENIED : 0;
}

/**
 * A request (three words, or one whole question), or what was decided in a run or a step of it. Exit as `check` for a
 * request; for a run 0 once it is told, whatever was decided.
 */
export async function explainPolicy(
  context: Context,
  words: readonly string[],
  flags: QuestionFlags,
): Promise<number> {
  const [first = '', second] = words;
  const isWhole = words.length === 1 && /^[@{]/u.test(first);
  const hint = 'SUBJECT ACTION RESOURCE; or @FILE or JSON of a question; or RUN [STEP]';
  if (words.length > 3) {
    throw new WritError('USAGE', `explain takes up to three words, not ${words.length}`, { hint });
  }
  // No run is called so: whoever names a subject has left the rest out.
  if (!isWhole && words.length < 3 && first.includes(':')) {
    const missing = second === undefined ? 'an action and a resource' : 'a resource';
    throw new WritError('USAGE', `the request lacks ${missing}`, { hint });
  }
  if (!isWhole && words.length < 3) return explainRun(context, first, second ?? null);
  const { output, policies } = context;
  const snapshot = await loadHere(policies);
  const { question, assumed } = isWhole
    ? await wholeQuestion(first, context.nowMs())
    : await questionOf(context, snapshot, words, flags);
  const answer = answerOf(snapshot, question, assumed);
  if (output.json) output.value(answer);
  else output.line(longText(answer, { snapshot, root: policies }, output.colors));
  return answer.verdict === 'deny' ? DENIED : 0;
}
