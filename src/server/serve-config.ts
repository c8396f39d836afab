// `serve.yaml` of the project folder: who may call over HTTP (identity providers) and which channels are told and heard
// (webhooks). Read whole and strictly: one problem, and nothing of it is used. Keys are secrets by name, never in it.
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { readConfig, schemaOf } from '../adapters/functions/config-file.js';
import { APPROVAL_EVENTS } from '../runtime/approval/outbox.js';
import { WritError } from '../errors.js';
import { endpointProblem } from './webhook/endpoint.js';

/** Asymmetric only: with HS* whoever verifies could sign too, and `none` is no signature. */
const OIDC_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;
export type OidcAlgorithm = (typeof OIDC_ALGORITHMS)[number];

/** An identity provider, pinned. */
export interface OidcProvider {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly OidcAlgorithm[];
  /** Where its keys are: a URL, or a file (absolute path). */
  readonly jwks: { readonly url: string } | { readonly file: string };
}

/** What a channel may be told: the events of the log, and that a request has waited for so long that others are asked. */
const WEBHOOK_EVENTS = [...APPROVAL_EVENTS, 'approval.escalated'] as const;
export type WebhookEventType = (typeof WEBHOOK_EVENTS)[number];

/** A channel that is told, in the order of `sign`: the first key is the newest. */
export interface ChannelOut {
  readonly url: string;
  readonly events: readonly WebhookEventType[];
  /** Names of secrets with `whsec_` or `whsk_` keys. */
  readonly sign: readonly string[];
  readonly includeInput: boolean;
  /** Links by which this person decides go with a request; null = none. */
  readonly linksFor: string | null;
}

/** A channel that is heard. */
export interface ChannelIn {
  /** Names of secrets with `whsec_` keys. */
  readonly secrets: readonly string[];
  /** `whpk_…` as they are. */
  readonly publicKeys: readonly string[];
}

export interface Channel {
  readonly name: string;
  readonly out: ChannelOut | null;
  readonly in: ChannelIn | null;
}

export interface ServeConfig {
  /** Under which people and identity providers know this server, without a slash at its end; null = as it listens. */
  readonly url: string | null;
  /** Requests a minute that one address may make, and one person. */
  readonly ratePerMinute: number;
  /** Addresses of proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** Who answers with a task token and nothing else, as policy is asked about them: `service:…`; null = nobody may. */
  readonly taskTokenBearer: string | null;
  readonly oidc: readonly OidcProvider[];
  readonly channels: ReadonlyMap<string, Channel>;
  /** `host` or `host:port` that webhooks may go to. */
  readonly webhookHosts: readonly string[];
}

interface ServeFile {
  readonly url?: string;
  readonly ratePerMinute?: number;
  readonly trustedProxies?: readonly string[];
  readonly taskTokenBearer?: string;
  readonly oidc?: readonly {
    readonly issuer: string;
    readonly audience: string;
    readonly algorithms: readonly OidcAlgorithm[];
    readonly jwks?: string;
    readonly jwksFile?: string;
  }[];
  readonly webhookHosts?: readonly string[];
  readonly channels?: Readonly<
    Record<
      string,
      {
        readonly out?: {
          readonly url: string;
          readonly events?: readonly WebhookEventType[];
          readonly sign: readonly string[];
          readonly include?: 'input';
          readonly linksFor?: string;
        };
        readonly in?: { readonly secrets?: readonly string[]; readonly publicKeys?: readonly string[] };
      }
    >
  >;
}

const DEFAULT_RATE_PER_MINUTE = 3_000;

const SECRET = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' } as const;
const HTTP_URL = { type: 'string', pattern: '^https?://[!-~]{1,1000}$' } as const;
const secrets = { type: 'array', items: SECRET, minItems: 1, maxItems: 8, uniqueItems: true } as const;

const fits = schemaOf<ServeFile>({
  type: 'object',
  additionalProperties: false,
  properties: {
    url: { type: 'string', pattern: '^https?://[A-Za-z0-9.:\\[\\]-]{1,255}$' },
    ratePerMinute: { type: 'integer', minimum: 1, maximum: 1_000_000 },
    trustedProxies: {
      type: 'array',
      maxItems: 64,
      items: { type: 'string', pattern: '^[0-9a-f:.]{2,45}$' },
    },
    taskTokenBearer: { type: 'string', pattern: '^service:[A-Za-z0-9._@-]{1,128}$' },
    oidc: {
      type: 'array',
      maxItems: 8,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['issuer', 'audience', 'algorithms'],
        properties: {
          issuer: { type: 'string', pattern: '^https://[!-~]{1,500}$' },
          audience: { type: 'string', minLength: 1, maxLength: 500 },
          algorithms: { type: 'array', items: { enum: OIDC_ALGORITHMS }, minItems: 1, uniqueItems: true },
          jwks: HTTP_URL,
          jwksFile: { type: 'string', minLength: 1, maxLength: 1000 },
        },
        oneOf: [{ required: ['jwks'] }, { required: ['jwksFile'] }],
      },
    },
    webhookHosts: {
      type: 'array',
      maxItems: 1000,
      items: {
        type: 'string',
        pattern: '^(?:[a-z0-9_-]+(?:\\.[a-z0-9_-]+)*|\\[[0-9a-f:.]+\\])(?::[0-9]{1,5})?$',
      },
    },
    channels: {
      type: 'object',
      maxProperties: 64,
      propertyNames: { pattern: '^[a-z0-9][a-z0-9-]{0,62}$' },
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        minProperties: 1,
        properties: {
          out: {
            type: 'object',
            additionalProperties: false,
            required: ['url', 'sign'],
            properties: {
              url: HTTP_URL,
              events: { type: 'array', items: { enum: WEBHOOK_EVENTS }, minItems: 1, uniqueItems: true },
              sign: secrets,
              include: { enum: ['input'] },
              linksFor: { type: 'string', pattern: '^user:[A-Za-z0-9._@-]{1,128}$' },
            },
          },
          in: {
            type: 'object',
            additionalProperties: false,
            minProperties: 1,
            properties: {
              secrets,
              publicKeys: {
                type: 'array',
                items: { type: 'string', pattern: '^whpk_[A-Za-z0-9+/]{43}=$' },
                minItems: 1,
                maxItems: 8,
                uniqueItems: true,
              },
            },
          },
        },
      },
    },
  },
});

const NONE: ServeConfig = {
  url: null,
  ratePerMinute: DEFAULT_RATE_PER_MINUTE,
  trustedProxies: [],
  taskTokenBearer: null,
  oidc: [],
  channels: new Map(),
  webhookHosts: [],
};

/** What `folder`/serve.yaml says; without one nobody is told, heard or trusted. Throws CONFIG_INVALID. */
export async function readServeConfig(folder: string, allowLoopback: boolean): Promise<ServeConfig> {
  const file = resolve(folder, 'serve.yaml');
  const read = await readConfig(file, fits);
  if (read === null) return NONE;
  const { url = null, ratePerMinute = DEFAULT_RATE_PER_MINUTE, webhookHosts = [] } = read;
  const { trustedProxies = [], taskTokenBearer = null } = read;
  const noAddress = trustedProxies.find((one) => isIP(one) === 0);
  if (noAddress !== undefined)
    throw invalid(
      file,
      `trustedProxies: ${noAddress} is no IP address`,
      'write addresses, not names or networks',
    );
  const oidc = (read.oidc ?? []).map(({ issuer, audience, algorithms, jwks, jwksFile }): OidcProvider => {
    const where = jwks === undefined ? { file: resolve(folder, jwksFile ?? '') } : { url: jwks };
    return { issuer, audience, algorithms, jwks: where };
  });
  const issuers = oidc.map(({ issuer }) => issuer);
  const twice = issuers.find((issuer, at) => issuers.indexOf(issuer) !== at);
  if (twice !== undefined) throw invalid(file, `the issuer ${twice} is there twice`, 'write it once');
  for (const { jwks } of oidc) {
    const problem = 'url' in jwks ? endpointProblem(jwks.url, null, allowLoopback) : null;
    if (problem !== null)
      throw invalid(file, `jwks: ${problem}`, 'use the https URL of a public host, or jwksFile');
  }
  const channels = new Map<string, Channel>();
  for (const [name, { out, in: heard }] of Object.entries(read.channels ?? {})) {
    const problem = out === undefined ? null : endpointProblem(out.url, webhookHosts, allowLoopback);
    if (problem !== null) {
      const hint =
        'webhooks go to https URLs of the hosts in webhookHosts; see writ serve --help for loopback';
      throw invalid(file, `channels.${name}.out.url: ${problem}`, hint);
    }
    if (out?.linksFor !== undefined && url === null) {
      throw invalid(file, `channels.${name}.out.linksFor needs the url of this server`, 'set url at the top');
    }
    channels.set(name, {
      name,
      out: out === undefined ? null : outOf(out),
      in: heard === undefined ? null : inOf(heard),
    });
  }
  return { url, ratePerMinute, trustedProxies, taskTokenBearer, oidc, channels, webhookHosts };
}

type FileChannel = NonNullable<ServeFile['channels']>[string];

function outOf({ url, events, sign, include, linksFor }: NonNullable<FileChannel['out']>): ChannelOut {
  return {
    url,
    events: events ?? WEBHOOK_EVENTS,
    sign,
    includeInput: include === 'input',
    linksFor: linksFor ?? null,
  };
}

function inOf({ secrets = [], publicKeys = [] }: NonNullable<FileChannel['in']>): ChannelIn {
  return { secrets, publicKeys };
}

function invalid(file: string, message: string, hint: string): WritError {
  return new WritError('CONFIG_INVALID', `${file}: ${message}`, { hint });
}
