// The provider of `agent::chat` and `hand::run`. Both converse: the runtime asks for one turn after another, and carries
// out in between what the model asked for, under every rule that holds for a step.
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import type { FunctionProvider } from '../../runtime/ports.js';
import { AGENT_CHAT, CHAT_REQUEST, CHAT_RESPONSE, chatOutput, prepareChat } from './agent-chat.js';
import { reachOf, type AgentParts } from './agent-parts.js';
import { takeTurn, type Answer, type Talk } from './conversation.js';
import { HAND_REQUEST, HAND_RESPONSE, HAND_RUN, handOutput, prepareHand } from './hand-run.js';

/** Reads nothing and asks nobody before a function is called. */
export function openAgentFunctions(parts: AgentParts): FunctionProvider {
  const { nowMs } = parts;
  const functionIds = [AGENT_CHAT, HAND_RUN];
  return {
    functionIds,
    converses: functionIds,
    describe: (functionId) =>
      functionId === AGENT_CHAT
        ? 'Asks an agent, which is a model.'
        : 'Runs a hand: a job an agent does with tools.',
    schemas: (functionId) =>
      functionId === AGENT_CHAT
        ? { input: CHAT_REQUEST, output: CHAT_RESPONSE }
        : { input: HAND_REQUEST, output: HAND_RESPONSE },
    async reach(functionId, input, agent) {
      return reachOf(prepare(parts, functionId, input, agent).talk);
    },
    async invoke({ functionId }) {
      throw new WritError('INTERNAL', `${functionId} is called turn by turn`);
    },
    async converse({ functionId, input, agent, progress }, so, signal) {
      const { talk, output } = prepare(parts, functionId, input, agent);
      const context = { nowMs, progress: progress ?? (() => undefined), signal };
      return takeTurn(talk, so, context, (answer) => output(answer, nowMs()));
    },
  };
}

/** The same before approval and at every turn: what has changed in between shows in `definition`. */
function prepare(
  parts: AgentParts,
  functionId: string,
  input: Json,
  agent: string | null,
): { readonly talk: Talk; readonly output: (answer: Answer, nowMs: number) => Json } {
  if (functionId === AGENT_CHAT) return { talk: prepareChat(parts, input, agent), output: chatOutput };
  const { hand, talk } = prepareHand(parts, input);
  return { talk, output: (answer, nowMs) => handOutput(hand, answer, nowMs) };
}
