import { describe, expect, it } from 'vitest';
import { isDigest } from '../../json.js';
import { readAgentFile, readHandFile } from '../../workflow/agents/read.js';
import { returnsOf } from './data-schema.js';
import { parseMcpConfig } from './mcp/config.js';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const digest = isDigest(DIGEST) ? DIGEST : null;
if (digest === null) throw new TypeError('no digest');

describe('data in an operator’s file', () => {
  it('is what answers carry: labels sorted, and what is not said not known', () => {
    expect(returnsOf(undefined)).toEqual({});
    expect(returnsOf({ labels: ['b', 'a'] })).toEqual({
      returns: [{ labels: ['a', 'b'], classification: null }],
    });
    expect(returnsOf({ classification: 'restricted' })).toEqual({
      returns: [{ labels: null, classification: 'restricted' }],
    });
  });

  it('of an agent, a hand and an MCP server is read with it, and refused where it is none', () => {
    const data = 'data: { labels: [phi], classification: restricted }';
    const told = { labels: ['phi'], classification: 'restricted' };
    expect(readAgentFile(`name: clerk\n${data}\n`, 'clerk', digest).value?.data).toEqual(told);
    const hand = `id: desk\nfunctions: { allowed: [] }\n${data}\n`;
    expect(readHandFile(hand, 'desk', digest).value?.data).toEqual(told);
    expect(readAgentFile('name: clerk\ndata: { label: [phi] }\n', 'clerk', digest).value).toBeNull();
    expect(readAgentFile('name: clerk\ndata: { labels: ["a b"] }\n', 'clerk', digest).value).toBeNull();
    const server = (extra: string) =>
      parseMcpConfig('mcp.yaml', `servers: { files: { command: x, ${extra} } }`).get('files')?.data;
    expect(server('data: { labels: [phi], classification: restricted }')).toEqual(told);
    expect(() => server('data: { classification: secret }')).toThrow();
  });
});
