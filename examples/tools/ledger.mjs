// A small MCP server over stdio, without any library: it reads JSON-RPC messages, one a line, and answers.
import { createInterface } from 'node:readline';

const balances = { 'DE-1001': 1250, 'DE-1002': 0 };
const tools = [
  {
    name: 'balance',
    description: 'Reads the balance of an account.',
    inputSchema: {
      type: 'object',
      properties: { account: { type: 'string' } },
      required: ['account'],
      additionalProperties: false,
    },
    outputSchema: {
      type: 'object',
      properties: { account: { type: 'string' }, balance: { type: 'number' } },
      required: ['account', 'balance'],
    },
  },
  { name: 'transfer', description: 'Moves money.', inputSchema: { type: 'object' } },
];

const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'ledger', version: '1' },
  }),
  'tools/list': () => ({ tools }),
  'tools/call': ({ name, arguments: { account } }) => {
    const balance = balances[account];
    if (name !== 'balance' || balance === undefined) {
      return { content: [{ type: 'text', text: `no account ${account}` }], isError: true };
    }
    const found = { account, balance };
    return { content: [{ type: 'text', text: JSON.stringify(found) }], structuredContent: found };
  },
  ping: () => ({}),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params = {} } = JSON.parse(line);
  if (id === undefined) continue;
  const answer = answers[method];
  const said =
    answer === undefined ? { error: { code: -32601, message: `no ${method}` } } : { result: answer(params) };
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...said })}\n`);
}
