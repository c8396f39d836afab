// The functions that come with Writ, and those of the operator's agents, hosts and MCP servers.
import { openAgentFunctions } from './adapters/functions/agent-functions.js';
import { systemResolve } from './adapters/functions/egress.js';
import { openHealthFunctions, type SelfChecks } from './adapters/functions/health-check.js';
import { openHttpFunctions, readHttpConfig } from './adapters/functions/http/http.js';
import { openMcpFunctions, readMcpConfig } from './adapters/functions/mcp/mcp.js';
import type { AgentFiles } from './agent-files.js';
import { digestOf } from './digest.js';
import { registeredFunctions, type Callables } from './runtime/call/callable.js';
import type { Clock, FunctionProvider } from './runtime/ports.js';
import { describeFunction } from './runtime/call/tool-description.js';

export interface FunctionParts {
  /** The project folder. */
  readonly folder: string;
  readonly agentFiles: AgentFiles;
  readonly hosts: Awaited<ReturnType<typeof readHttpConfig>>;
  readonly servers: Awaited<ReturnType<typeof readMcpConfig>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly secret: (name: string) => Uint8Array | null;
  readonly clock: Clock;
  readonly softwareVersion: string;
  /** All there are, these among them: functions may be registered later, so they are looked up when a model is asked. */
  readonly registered: () => Callables;
  readonly checks: SelfChecks;
}

export async function openFunctions(parts: FunctionParts): Promise<readonly FunctionProvider[]> {
  const { agentFiles, checks, clock, env, folder, hosts, registered, secret, servers } = parts;
  const http = { hosts, secret, digestOf };
  return [
    openAgentFunctions({
      ...agentFiles,
      env,
      secret,
      nowMs: () => clock.nowMs(),
      tools: {
        functionIds: () => [...registeredFunctions(registered())],
        describe: (functionId) => describeFunction(registered(), functionId),
      },
    }),
    openHttpFunctions(http),
    openHealthFunctions(checks, http),
    await openMcpFunctions(servers, {
      ...{ folder, secret, digestOf, env, version: parts.softwareVersion },
      resolve: systemResolve,
    }),
  ];
}
