/** What a control plane may ask of the machine's endpoint. */
import { ValkeeperError } from '../domain/errors.ts';
import type { AgentRequests } from '../protocol/agent-messages.ts';
import type { EndpointKeeper } from './endpoint-keeper.ts';

type EndpointOperation = 'serve_endpoint' | 'nudge_endpoint' | 'pace_endpoint' | 'endpoint_waited' | 'replace_endpoint';

type EndpointOperations = {
  [O in EndpointOperation]: (args: AgentRequests[O]['args']) => Promise<AgentRequests[O]['result']>;
};

/** @param endpoint null where the machine has none: then nothing is served, and nothing can be replaced */
export const endpointOperations = (endpoint: EndpointKeeper | null, machine: string): EndpointOperations => ({
  serve_endpoint: async ({ databases }) => {
    await endpoint?.serve(databases);
    return {};
  },
  nudge_endpoint: async ({ database }) => {
    endpoint?.nudge(database);
    return {};
  },
  pace_endpoint: async (pace) => {
    endpoint?.pace(pace);
    return {};
  },
  endpoint_waited: async ({ database, node }) => ({ waitedMs: (await endpoint?.waitedFor(database, node)) ?? 0 }),
  replace_endpoint: async ({ drainMs }) => {
    if (!endpoint) throw new ValkeeperError('no_endpoint', { machine });
    return endpoint.replace(drainMs);
  },
});
