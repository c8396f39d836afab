// Findings in the author's own spelling: the checks know native names (`timeoutSeconds`), a States Language document of AWS
// writes `TimeoutSeconds`, and whoever reads a finding looks for what stands in their document. What the author wrote in
// lower case, a state called "next" or a text, stays as it is.
import type { DocumentSpelling } from '../diagnostic.js';
import { field, type Located } from '../located.js';

/** Keywords of a state machine, but for those below approval, sandbox and data, which have one spelling. */
export const KEYWORDS: ReadonlySet<string> = new Set(
  [
    'agent agents and approval approverRoles arguments assign awsLimits backoffRate batchInput ',
    'booleanEquals booleanEqualsPath branches catch cause causePath ceilings choices comment condition ',
    'credentials csvDelimiter csvHeaderLocation csvHeaders data default description end error errorEquals ',
    'errorPath executionType expiresSeconds form heartbeatSeconds heartbeatSecondsPath human id ',
    'idempotent inputPath inputType inputs intervalSeconds isBoolean isNull isNumeric isPresent isString ',
    'isTimestamp itemBatcher itemProcessor itemReader itemSelector items itemsPath itemsPointer iterator ',
    'jitterStrategy label manifestType maxAttempts maxConcurrency maxConcurrencyPath maxDelaySeconds ',
    'maxInputBytesPerBatch maxInputBytesPerBatchPath maxItems maxItemsPath maxItemsPerBatch ',
    'maxItemsPerBatchPath mode name next not numericEquals numericEqualsPath numericGreaterThan ',
    'numericGreaterThanEquals numericGreaterThanEqualsPath numericGreaterThanPath numericLessThan ',
    'numericLessThanEquals numericLessThanEqualsPath numericLessThanPath onExpire or output outputPath ',
    'outputType parameters processorConfig queryLanguage quorum readerConfig resource result resultPath ',
    'resultSelector resultWriter retry sandbox seconds secondsPath separationOfDuties startAt states ',
    'stringEquals stringEqualsPath stringGreaterThan stringGreaterThanEquals stringGreaterThanEqualsPath ',
    'stringGreaterThanPath stringLessThan stringLessThanEquals stringLessThanEqualsPath ',
    'stringLessThanPath stringMatches timeoutSeconds timeoutSecondsPath timestamp timestampEquals ',
    'timestampEqualsPath timestampGreaterThan timestampGreaterThanEquals timestampGreaterThanEqualsPath ',
    'timestampGreaterThanPath timestampLessThan timestampLessThanEquals timestampLessThanEqualsPath ',
    'timestampLessThanPath timestampPath toleratedFailureCount toleratedFailureCountPath ',
    'toleratedFailurePercentage toleratedFailurePercentagePath transformation type variable version ',
    'writerConfig',
  ]
    .join('')
    .split(' '),
);

/** Of the document as its author wrote it. */
export function spellingOf(written: Located): DocumentSpelling {
  let own: ReadonlySet<string> | null = null;
  const isCapital = field(written, 'States') !== undefined || hasStates(field(written, 'Spec')?.value);
  return {
    words(text) {
      if (!isCapital) return text;
      own ??= textsOf(written);
      return capitals(text, own);
    },
  };
}

function hasStates(spec: Located | undefined): boolean {
  return field(spec, 'States') !== undefined;
}

/** Quoted names, names of several words, and names before a colon or in a list of fields; no other word is surely one. */
function capitals(text: string, own: ReadonlySet<string>): string {
  const isKeyword = (word: string): boolean => !own.has(word) && KEYWORDS.has(word);
  if (text.startsWith('fields: '))
    return text.replace(/[a-z]\w*/gi, (word) => (isKeyword(word) ? capital(word) : word));
  return text
    .replace(/"([a-z]\w*)(?=")/g, (found, word: string) =>
      isKeyword(word) || (!own.has(word) && own.has(capital(word))) ? `"${capital(word)}` : found,
    )
    .replace(/(?<![\w.$:"'])[a-z]+[A-Z]\w*(?![\w"'])/g, (word) => (isKeyword(word) ? capital(word) : word))
    .replace(/(?<![\w.$:])[a-z]\w*(?=: )/g, (word) => (isKeyword(word) ? capital(word) : word));
}

function capital(word: string): string {
  return word.startsWith('csv') ? `CSV${word.slice(3)}` : word.slice(0, 1).toUpperCase() + word.slice(1);
}

/** Every key and every text of the document. */
function textsOf(root: Located): ReadonlySet<string> {
  const texts = new Set<string>();
  const waiting = [root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node.kind === 'list') waiting.push(...node.items);
    else if (node.kind === 'scalar') {
      if (typeof node.value === 'string') texts.add(node.value);
    } else {
      for (const { key, value } of node.entries) {
        texts.add(key);
        waiting.push(value);
      }
    }
  }
  return texts;
}
