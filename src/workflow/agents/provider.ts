// Which endpoints may be asked at all. The key is sent to the host that stands here, so a URL that could lead
// elsewhere, or show the key on the way, is refused before anything is sent.
import { WritError } from '../../errors.js';
import type { ModelProvider, ModelsDefinition, Prices } from './definition.js';

/** The provider that environment variables describe; models.yaml can't take the name. */
export const ENVIRONMENT_PROVIDER = 'environment';

const BASE_URL = 'WRIT_MODEL_BASE_URL';
const API_KEY = 'WRIT_MODEL_API_KEY';
const MODEL = 'WRIT_MODEL';

export const NO_MODELS: ModelsDefinition = { default: null, providers: new Map() };

/** What is wrong with a base URL; null when nothing is. */
export function baseUrlProblem(text: string, plainHttp: boolean): string | null {
  if (!URL.canParse(text)) return 'is no URL';
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  if (protocol !== 'https:' && protocol !== 'http:') return `has the scheme ${protocol}, not https:`;
  // Shown wherever the URL is shown.
  if (username !== '' || password !== '') return 'holds a user name or password';
  if (search !== '' || hash !== '') return 'has a query or a fragment';
  if (protocol === 'http:' && !plainHttp && !isThisMachine(hostname)) {
    return 'is http to another machine: prompts and the key would travel in the clear';
  }
  return null;
}

function isThisMachine(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/**
 * The provider of WRIT_MODEL_BASE_URL, WRIT_MODEL_API_KEY and WRIT_MODEL; a variable set to nothing counts as not
 * set. FUNCTION_UNAVAILABLE, not thrown, when there is none.
 */
export function environmentProvider(
  env: Readonly<Record<string, string | undefined>>,
): ModelProvider | WritError {
  const baseUrl = env[BASE_URL] ?? '';
  if (baseUrl === '') {
    return new WritError(
      'FUNCTION_UNAVAILABLE',
      `no model provider is configured here: ${BASE_URL} is not set`,
      {
        hint: `set ${BASE_URL}, ${API_KEY} and ${MODEL}, or write models.yaml beside the policies directory`,
      },
    );
  }
  const problem = baseUrlProblem(baseUrl, false);
  if (problem !== null) {
    return new WritError('FUNCTION_UNAVAILABLE', `${BASE_URL} ${problem}`, {
      hint: 'for example https://models.example.com/v1',
    });
  }
  const model = env[MODEL] ?? '';
  return {
    name: ENVIRONMENT_PROVIDER,
    baseUrl,
    key: { kind: 'env', name: API_KEY },
    model: model === '' ? null : model,
    plainHttp: false,
    prices: new Map<string, Prices>(),
  };
}
