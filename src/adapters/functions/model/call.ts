// One model call over the AI SDK's OpenAI-compatible provider, streamed. It is the provider itself that is called: no
// retries, no tool that somebody else would run, nothing sent anywhere but to the endpoint. What the model says is
// attacker-controlled, and whatever is not a whole answer is a failure: a stream cut short, a broken event, an answer
// at its length limit. No error of the SDK is passed on, because it holds the request.
import type { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { WritError } from '../../../errors.js';
import type { Json } from '../../../json.js';
import type { Usage } from '../../../runtime/ports.js';
import { usageOf } from './cost.js';
import type { ModelEndpoint } from './endpoint.js';
import { modelFetch, type Traffic } from './fetch.js';
import type { OfferedTool } from '../tool-table.js';
import type { Message, Reply } from '../transcript.js';

type CallOptions = Parameters<
  ReturnType<ReturnType<typeof createOpenAICompatible>['chatModel']>['doStream']
>[0];
type Prompt = CallOptions['prompt'];

export interface ModelCall {
  readonly endpoint: ModelEndpoint;
  readonly system: string | null;
  readonly messages: readonly Message[];
  readonly tools: readonly OfferedTool[];
  /** Asked of the endpoint; whether the answer fits is not checked here. */
  readonly responseSchema: Json | null;
  readonly temperature: number | null;
  readonly maxOutputTokens: number | null;
}

export interface ModelReply extends Reply {
  readonly usage: Usage;
}

/** Text goes to `progress` as it comes. Throws FUNCTION_FAILED, FUNCTION_TEMPORARY; STEP_CANCELLED on an abort. */
export async function callModel(
  call: ModelCall,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<ModelReply> {
  const { endpoint } = call;
  const traffic: Traffic = { sentBytes: 0, receivedBytes: 0 };
  try {
    return await exchange(call, traffic, progress, signal);
  } catch (error) {
    if (signal.aborted) throw new WritError('STEP_CANCELLED', 'the model call was stopped');
    const known = ownError(error);
    if (known !== null) throw known;
    throw brokeOff(endpoint.host);
  }
}

async function exchange(
  call: ModelCall,
  traffic: Traffic,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<ModelReply> {
  // Imported by the first call: no command that asks no model pays for it.
  const sdk = await import('@ai-sdk/openai-compatible');
  const { baseUrl, host, key, model, prices } = call.endpoint;
  const provider = sdk.createOpenAICompatible({
    name: 'writ',
    baseURL: baseUrl,
    ...(key === null ? {} : { apiKey: key.value }),
    fetch: modelFetch(host, key?.name ?? null, traffic),
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
  const { stream } = await provider.chatModel(model).doStream({ ...optionsOf(call), abortSignal: signal });
  let text = '';
  const calls: Reply['calls'][number][] = [];
  let reported: { readonly input: unknown; readonly output: unknown } = { input: null, output: null };
  let finish = 'nothing';
  for await (const part of stream) {
    // The other parts are reasoning, metadata and the beginnings of parts: nothing that the workflow gets.
    if (part.type === 'text-delta') {
      text += part.delta;
      progress(part.delta);
    } else if (part.type === 'tool-call') {
      calls.push({ tool: part.toolName, argumentText: part.input });
    } else if (part.type === 'finish') {
      finish = part.finishReason.unified;
      reported = { input: part.usage.raw?.['prompt_tokens'], output: part.usage.raw?.['completion_tokens'] };
    } else if (part.type === 'error') {
      throw ownError(part.error) ?? (isCutShort(part.error) ? brokeOff(host) : malformed(host));
    }
  }
  const usage = usageOf(reported, { sent: traffic.sentBytes, received: traffic.receivedBytes }, prices);
  checkFinish(finish, calls.length, call);
  return { text, calls, usage, inputTokens: usage.inputTokens, outputTokens: usage.outputTokens };
}

function checkFinish(finish: string, calls: number, { endpoint, maxOutputTokens }: ModelCall): void {
  if (finish === 'stop' || finish === 'tool-calls') return;
  const { model } = endpoint;
  if (finish === 'length') {
    const at = maxOutputTokens === null ? 'the length limit of the endpoint' : `${maxOutputTokens} tokens`;
    throw new WritError('FUNCTION_FAILED', `the answer of ${model} was cut at ${at}`, {
      hint: 'raise maxOutputTokens of the agent, or ask for less',
    });
  }
  if (finish === 'content-filter') {
    throw new WritError(
      'FUNCTION_FAILED',
      `the content filter of the endpoint stopped the answer of ${model}`,
    );
  }
  // Some endpoints end a turn with calls by a reason of their own.
  if (calls === 0) throw malformed(endpoint.host);
}

/** The stream has ended in good order and the answer has not: the SDK says that it missed a reason, and shows no event. */
function isCutShort(error: unknown): boolean {
  return (
    error instanceof Error &&
    error.name === 'AI_InvalidResponseDataError' &&
    'data' in error &&
    error.data === undefined
  );
}

function brokeOff(host: string): WritError {
  return new WritError('FUNCTION_TEMPORARY', `the answer of the model endpoint ${host} broke off`, {
    hint: 'try again later, or give the step errorMode: retry',
  });
}

function malformed(host: string): WritError {
  return new WritError(
    'FUNCTION_FAILED',
    `the model endpoint ${host} sent an event that is none, or an error`,
    {
      hint: 'it has to speak the OpenAI chat completions API',
    },
  );
}

/** An error of ours inside those of fetch and SDK. */
function ownError(error: unknown): WritError | null {
  let current = error;
  for (let depth = 0; depth < 8 && current instanceof Error; depth++) {
    if (current instanceof WritError) return current;
    current = current.cause;
  }
  return null;
}

function optionsOf(call: ModelCall): CallOptions {
  const { tools, responseSchema, temperature, maxOutputTokens } = call;
  return {
    prompt: promptOf(call),
    ...(tools.length === 0
      ? {}
      : {
          tools: tools.map(({ name, description, inputSchema }) => ({
            type: 'function' as const,
            name,
            description,
            inputSchema: inputSchema as Schema,
          })),
        }),
    ...(responseSchema === null
      ? {}
      : {
          responseFormat: { type: 'json' as const, schema: responseSchema as Schema },
          // Endpoints refuse most schemas as strict ones; whether the answer fits is checked by us.
          providerOptions: { writ: { strictJsonSchema: false } },
        }),
    ...(temperature === null ? {} : { temperature }),
    ...(maxOutputTokens === null ? {} : { maxOutputTokens }),
  };
}

/** Checked by whoever wrote or compiled it. */
type Schema = Extract<NonNullable<CallOptions['tools']>[number], { type: 'function' }>['inputSchema'];

function promptOf({ system, messages }: ModelCall): Prompt {
  const prompt: Prompt = system === null ? [] : [{ role: 'system', content: system }];
  for (const message of messages) {
    switch (message.role) {
      case 'user':
        prompt.push({ role: 'user', content: [{ type: 'text', text: message.text }] });
        break;
      case 'assistant':
        prompt.push({
          role: 'assistant',
          content: [
            ...(message.text === '' ? [] : [{ type: 'text' as const, text: message.text }]),
            ...message.calls.map(({ id, tool, input }) => {
              return { type: 'tool-call' as const, toolCallId: id, toolName: tool, input };
            }),
          ],
        });
        break;
      case 'tool':
        prompt.push({
          role: 'tool',
          content: message.results.map(({ id, tool, text, isError }) => {
            const output = { type: isError ? ('error-text' as const) : ('text' as const), value: text };
            return { type: 'tool-result' as const, toolCallId: id, toolName: tool, output };
          }),
        });
        break;
    }
  }
  return prompt;
}
