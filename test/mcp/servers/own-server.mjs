/** A server whose tool changes, in a call and by its argument from one start to the next; which asks its user, and waits. */

import { acceptedContent, inputRequired, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

const [unit = 'meters'] = process.argv.slice(2);
const question = {
  message: 'who?',
  requestedSchema: { type: 'object', properties: { name: { type: 'string' } } },
};

let runs = 0;
const said = (text) => ({ content: [{ type: 'text', text: `${text}, run ${++runs} of ${process.pid}` }] });

serveStdio(() => {
  const server = new McpServer(
    { name: 'own', version: '1.0.0' },
    { capabilities: { tools: { listChanged: true } } },
  );
  const none = z.object({});
  const measure = server.registerTool('measure', { description: `in ${unit}`, inputSchema: none }, () =>
    said('5'),
  );
  server.registerTool('change', { inputSchema: z.object({ unit: z.string() }) }, ({ unit: other }) => {
    measure.update({ description: `in ${other}` });
    return said('changed');
  });
  server.registerTool('greet', { inputSchema: none }, (_, { mcpReq }) => {
    const answer = acceptedContent(mcpReq.inputResponses, 'who', z.object({ name: z.string() }));
    if (answer !== undefined) return said(`hello ${answer.name}`);
    return inputRequired({ inputRequests: { who: inputRequired.elicit(question) } });
  });
  let go = () => {};
  server.registerTool('wait', { inputSchema: none }, async () => {
    await new Promise((resolve) => {
      go = resolve;
    });
    return said('waited');
  });
  server.registerTool('go', { inputSchema: none }, () => {
    go();
    return said('gone');
  });
  return server;
});
