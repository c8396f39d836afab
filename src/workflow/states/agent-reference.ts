// `agent: name@sha256:<64 hex>`: a package is named by digest only. A tag can be moved to other bytes after review,
// and an elided digest names nothing, so both are refused.
import { type Digest, isDigest } from '../../json.js';
import type { Finding } from '../diagnostic.js';
import type { Segments } from '../located.js';

export interface AgentReference {
  readonly name: string;
  readonly digest: Digest;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*(?::\d{1,5}(?=\/))?(?:\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;
const PIN = 'write name@sha256:<64 hex digits>';

/** The reference, or the finding that says why it is none. */
export function parseAgentReference(text: string, at: Segments): AgentReference | Finding {
  const split = text.lastIndexOf('@');
  const name = split < 0 ? text : text.slice(0, split);
  const digest = split < 0 ? '' : text.slice(split + 1);
  const quoted = JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
  if (split < 0 || name.slice(name.lastIndexOf('/') + 1).includes(':')) {
    const why = split < 0 && !name.includes(':') ? 'names no digest' : 'names a tag';
    return {
      code: 'DOC_AGENT_TAG',
      message: `agent ${quoted} ${why}`,
      hint: `a tag can move to other bytes: ${PIN}`,
      at,
    };
  }
  if (name.length > 255 || !NAME.test(name)) {
    return { code: 'DOC_BAD_VALUE', message: `agent ${quoted} has no valid package name`, hint: PIN, at };
  }
  if (isDigest(digest)) return { name, digest };
  if (digest.startsWith('sha256:')) {
    const hint = `the digest is not 64 lower-case hex digits: ${PIN}`;
    return { code: 'DOC_DIGEST_ELIDED', message: `agent ${quoted} has an incomplete digest`, hint, at };
  }
  return { code: 'DOC_BAD_VALUE', message: `agent ${quoted} has no sha256 digest`, hint: PIN, at };
}
