// Which endpoint, model and key one conversation uses. All three are looked up before anything is sent, and what is
// missing is said by the name of what has to be set. The key stays in this process and the Authorization header: no
// message, record or answer holds it.
import { WritError } from '../../../errors.js';
import type { ModelProvider, ModelsDefinition, Prices } from '../../../runtime/ports.js';

/** What an operator has configured, and where keys are found. */
export interface ModelSources {
  /** models.yaml; its error, when it has one, is thrown by every call. */
  readonly models: ModelsDefinition | WritError;
  /** The provider of WRIT_MODEL_BASE_URL, or why there is none. */
  readonly environment: ModelProvider | WritError;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The value of `writ secrets`; null = none of that name. */
  readonly secret: (name: string) => Uint8Array | null;
}

export interface ModelEndpoint {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  /** `name:port`, lower case. */
  readonly host: string;
  readonly model: string;
  /** null: the endpoint takes none. */
  readonly key: { readonly name: string; readonly value: string } | null;
  readonly prices: Prices | null;
}

/**
 * `wanted` names a provider and a model; null = whatever is configured. Throws FUNCTION_UNAVAILABLE with what to set
 * when endpoint, key or model is missing.
 */
export function endpointOf(
  sources: ModelSources,
  wanted: { readonly provider: string | null; readonly model: string | null },
): ModelEndpoint {
  const provider = providerOf(sources, wanted.provider);
  const model = wanted.model ?? provider.model;
  if (model === null) {
    throw unavailable(`no model is named, and the provider "${provider.name}" has none of its own`, {
      hint: 'set WRIT_MODEL for the provider of the environment, or model in the agent file or models.yaml',
    });
  }
  const url = new URL(provider.baseUrl);
  return {
    baseUrl: provider.baseUrl.replace(/\/$/, ''),
    host: `${url.hostname}:${url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port}`,
    model,
    key: keyOf(sources, provider),
    prices: provider.prices.get(model) ?? null,
  };
}

function providerOf({ models, environment }: ModelSources, wanted: string | null): ModelProvider {
  if (models instanceof WritError) throw models;
  const name = wanted ?? models.default;
  if (name === null || name === 'environment') {
    if (environment instanceof WritError) throw environment;
    return environment;
  }
  const provider = models.providers.get(name);
  if (provider !== undefined) return provider;
  const known = [...models.providers.keys()].join(', ');
  throw unavailable(`no model provider "${name}" is configured here`, {
    hint: `add it to models.yaml beside the policies directory${known === '' ? '' : `; there are: ${known}`}`,
  });
}

function keyOf(sources: ModelSources, { name: provider, key }: ModelProvider): ModelEndpoint['key'] {
  switch (key.kind) {
    case 'none':
      return null;
    case 'env': {
      const value = sources.env[key.name] ?? '';
      if (value !== '') return { name: key.name, value: checked(key.name, value) };
      throw unavailable(`the key of the model provider "${provider}" is missing: ${key.name} is not set`, {
        hint: `set the environment variable ${key.name}`,
      });
    }
    case 'secret': {
      const value = sources.secret(key.name);
      if (value !== null)
        return { name: key.name, value: checked(key.name, new TextDecoder().decode(value)) };
      throw unavailable(`the key of the model provider "${provider}" is missing: no secret ${key.name}`, {
        hint: `writ secrets set ${key.name}`,
      });
    }
  }
}

/** A header can't carry anything else, and an error about it would show the value. */
function checked(name: string, value: string): string {
  if (/^[\x21-\x7e]{1,4096}$/.test(value)) return value;
  throw unavailable(`${name} holds no key: it has blanks, line ends or characters that no header can carry`, {
    hint: 'set it again, the key and nothing else',
  });
}

function unavailable(message: string, { hint }: { readonly hint: string }): WritError {
  return new WritError('FUNCTION_UNAVAILABLE', message, { hint });
}
