/** Agents of Mastra, in both majors, that wait for a person: for tools that need approval, and tools that suspend their run. */

import { Mastra as Mastra0 } from 'mastra-0';
import { Agent as Agent0 } from 'mastra-0/agent';
import { InMemoryStore as Store0 } from 'mastra-0/storage';
import { createTool as createTool0 } from 'mastra-0/tools';
import { Mastra as Mastra1 } from 'mastra-1';
import { Agent as Agent1 } from 'mastra-1/agent';
import { InMemoryStore as Store1 } from 'mastra-1/storage';
import { createTool as createTool1 } from 'mastra-1/tools';
import { createStep, createWorkflow } from 'mastra-1/workflows';
import { z } from 'zod';
import { modelOf } from './mastra.js';
import type { Caching, Script } from './scenario.js';

/** What a person says, by the tool that asks. */
export type Answers = Readonly<Record<string, unknown>>;

/** Runs a script to its end, with what its person says, and tells all that happened to tools. */
export type AskingAgent = (script: Script, answers: Answers) => Promise<unknown>;

/** How often each tool has run. */
export type Runs = Record<string, number>;

/** What the tools of both majors are given, in one shape. */
interface Call {
  readonly input: Readonly<Record<string, unknown>>;
  readonly resumeData: unknown;
  suspend(payload: object): Promise<unknown>;
}

const run = (runs: Runs, name: string) => {
  runs[name] = (runs[name] ?? 0) + 1;
};

const schemas = {
  look: { inputSchema: z.object({ at: z.string() }), requireApproval: true },
  book: { inputSchema: z.object({ to: z.string() }), requireApproval: true },
  ask: {
    inputSchema: z.object({ what: z.string() }),
    suspendSchema: z.object({ question: z.string() }),
    resumeSchema: z.object({ answer: z.string() }),
  },
};

const functions = (runs: Runs) => ({
  async look({ input }: Call) {
    run(runs, 'look');
    return { seen: input['at'] };
  },
  async book({ input }: Call) {
    run(runs, 'book');
    return { booked: input['to'] };
  },
  async ask({ input, resumeData, suspend }: Call) {
    run(runs, 'ask');
    if (resumeData === undefined || resumeData === null) return suspend({ question: `${input['what']}?` });
    return { answered: (resumeData as { answer: string }).answer };
  },
});

type Name = keyof typeof schemas;
const names = Object.keys(schemas) as Name[];
const described = (id: Name) => ({ ...schemas[id], id, description: `to ${id}` });

interface Chunk {
  readonly type: string;
  readonly payload: { readonly toolCallId: string; readonly toolName: string };
}

/** What an agent of either major streams. */
interface Output {
  readonly runId: string;
  readonly fullStream: AsyncIterable<Chunk>;
  readonly text: Promise<string>;
}

interface LooseAgent {
  stream(prompt: string, options: object): Promise<Output>;
  approveToolCall(options: object): Promise<Output>;
  declineToolCall(options: object): Promise<Output>;
  resumeStream(data: unknown, options: object): Promise<Output>;
}

/** The chunks that tell of tools, but for what is made anew each time. */
function toldBy({ type, payload }: Chunk): unknown {
  const { resumeSchema: _, ...told } = payload as Chunk['payload'] & { resumeSchema?: unknown };
  return JSON.parse(JSON.stringify([type, told]));
}

function asking(agentFor: (script: Script) => LooseAgent): AskingAgent {
  return async (script, answers) => {
    const agent = agentFor(script);
    const told: unknown[] = [];
    let output = await agent.stream('go on', { maxSteps: 20 });
    for (;;) {
      const { runId } = output;
      let answer: (() => Promise<Output>) | undefined;
      for await (const chunk of output.fullStream) {
        if (!chunk.type.startsWith('tool-') || chunk.type.includes('input')) continue;
        told.push(toldBy(chunk));
        const { toolCallId, toolName } = chunk.payload;
        const options = { runId, toolCallId };
        const said = answers[toolName];
        if (chunk.type === 'tool-call-approval')
          answer = () => (said === false ? agent.declineToolCall(options) : agent.approveToolCall(options));
        if (chunk.type === 'tool-call-suspended') answer = () => agent.resumeStream(said, options);
      }
      if (answer === undefined) return { told, text: await output.text };
      output = await answer();
    }
  };
}

export type MakeAskingAgent = (runs: Runs, caching: Caching) => AskingAgent;

const fields = (script: Script, tools: object) => ({
  ...{ id: 'agent', name: 'agent', instructions: '', model: modelOf(script) as never, tools: tools as never },
});

export const asking0: MakeAskingAgent = (runs, caching) => {
  const all = functions(runs);
  const tools = caching(
    Object.fromEntries(
      names.map((id) => [
        id,
        createTool0({
          ...described(id),
          execute: ({ context, resumeData, suspend }: never) =>
            all[id]({ input: context, resumeData, suspend }),
        } as never),
      ]),
    ),
  );
  return asking((script) => {
    const agent = new Agent0(fields(script, tools));
    const mastra = new Mastra0({ agents: { agent }, storage: new Store0(), logger: false });
    return mastra.getAgent('agent') as never;
  });
};

export const asking1: MakeAskingAgent = (runs, caching) => {
  const all = functions(runs);
  const tools = caching(
    Object.fromEntries(
      names.map((id) => [
        id,
        createTool1({
          ...described(id),
          execute: (input: Call['input'], { agent }: { agent: Omit<Call, 'input'> }) =>
            all[id]({ input, resumeData: agent.resumeData, suspend: agent.suspend }),
        } as never),
      ]),
    ),
  );
  return asking((script) => {
    const agent = new Agent1(fields(script, tools));
    const mastra = new Mastra1({ agents: { agent }, storage: new Store1(), logger: false });
    return mastra.getAgent('agent') as never;
  });
};

/** A workflow of Mastra 1 whose steps are tools, of which one suspends it. (Mastra 0 gives such steps no `suspend`.) */
export function askingWorkflow(runs: Runs, caching: Caching): (answer: string) => Promise<unknown> {
  const inputSchema = z.object({ what: z.string() });
  const { find, ask } = caching({
    find: createTool1({
      ...{ id: 'find', description: 'finds', inputSchema, outputSchema: inputSchema },
      async execute({ what }) {
        run(runs, 'find');
        return { what };
      },
    }),
    ask: createTool1({
      ...{ ...described('ask'), outputSchema: z.object({ answered: z.string() }) },
      execute: (input: Call['input'], { workflow }: { workflow: Omit<Call, 'input'> }) =>
        functions(runs).ask({ input, resumeData: workflow.resumeData, suspend: workflow.suspend }),
    } as never),
  } as const) as unknown as Record<'find' | 'ask', never>;
  return async (answer) => {
    const workflow = createWorkflow({ id: 'asking', inputSchema, outputSchema: z.unknown() })
      .then(createStep(find) as never)
      .then(createStep(ask) as never)
      .commit();
    const mastra = new Mastra1({ workflows: { workflow }, storage: new Store1(), logger: false });
    const started = await mastra.getWorkflow('workflow').createRun();
    const { status: first } = await started.start({ inputData: { what: 'which seat' } });
    const resumed = await started.resume({ step: 'ask', resumeData: { answer } });
    return [first, resumed.status, (resumed as { result?: unknown }).result];
  };
}
