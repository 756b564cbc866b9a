/** Spans of loads, as a real SDK of OpenTelemetry collects them. */

import { context, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { CacheManager, InvalidOptionError } from '../../src/index.js';
import { openTelemetrySpans } from '../../src/metrics/index.js';

const exporter = new InMemorySpanExporter();
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });

beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(async () => {
  context.disable();
  await tracerProvider.shutdown();
});
beforeEach(() => exporter.reset());

const spans = () => exporter.getFinishedSpans();

it('each run of a tool is a span by the GenAI conventions, a hit and a joined load are none', async () => {
  const cache = new CacheManager();
  const { stop } = await openTelemetrySpans(cache, { tracerProvider, name: 'tools' });
  const secret = 'a secret argument';
  const search = cache.wrap(async (query: string) => `about ${query}`, { name: 'search' });
  await Promise.all([search(secret), search(secret)]);
  await search(secret);
  expect(spans().map(({ name, kind, attributes, status }) => ({ name, kind, attributes, status }))).toEqual([
    {
      name: 'execute_tool search',
      kind: 0,
      attributes: {
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': 'search',
        'toolstash.cache': 'tools',
      },
      status: { code: SpanStatusCode.UNSET },
    },
  ]);
  stop();
  await search('another');
  expect(spans()).toHaveLength(1);
});

it('a span is within that of the caller, and around those of the tool', async () => {
  const cache = new CacheManager();
  await openTelemetrySpans(cache, { tracerProvider });
  const tracer = tracerProvider.getTracer('test');
  await tracer.startActiveSpan('agent step', async (step) => {
    await cache.getOrSet('fetch', 1, async () => {
      await Promise.resolve();
      tracer.startActiveSpan('GET', (request) => request.end());
      expect(trace.getActiveSpan()).toMatchObject({ name: 'execute_tool fetch' });
      return 'page';
    });
    step.end();
  });
  const [request, load, step] = spans();
  expect([request, load, step].map((span) => span?.name)).toEqual([
    'GET',
    'execute_tool fetch',
    'agent step',
  ]);
  expect(request!.parentSpanContext?.spanId).toBe(load!.spanContext().spanId);
  expect(load!.parentSpanContext?.spanId).toBe(step!.spanContext().spanId);
});

it('a failure is told by its type, and reaches the caller as it is', async () => {
  const cache = new CacheManager();
  await openTelemetrySpans(cache, { tracerProvider });
  const failure = new TypeError('no such order');
  await expect(
    cache.getOrSet('order', 1, () => {
      throw failure;
    }),
  ).rejects.toBe(failure);
  expect(spans()).toMatchObject([
    {
      attributes: { 'error.type': 'TypeError' },
      status: { code: SpanStatusCode.ERROR },
      ended: true,
    },
  ]);
  const [{ attributes, events, status }] = spans() as [ReturnType<typeof spans>[number]];
  expect(JSON.stringify({ attributes, events, status })).not.toContain('no such order');
});

it('is refused for what is no cache, twice, and with wrong options', async () => {
  const cache = new CacheManager();
  await expect(openTelemetrySpans({} as never)).rejects.toThrow(InvalidOptionError);
  await expect(openTelemetrySpans(cache, { provider: tracerProvider } as never)).rejects.toThrow('provider');
  await expect(openTelemetrySpans(cache, { tracerProvider: {} as never })).rejects.toThrow('getTracer');
  const first = await openTelemetrySpans(cache, { tracerProvider });
  await expect(openTelemetrySpans(cache, { tracerProvider })).rejects.toThrow('made already');
  first.stop();
  (await openTelemetrySpans(cache, { tracerProvider })).stop();
});
