/** Server-sent events, as Streamable HTTP uses them: each holds a message. */

/** One event. */
export interface ServerSentEvent {
  readonly data: string;
  /** Of the last event that had one. */
  readonly id: string | undefined;
  /** How long to wait before the stream is asked for again, in ms, if the server has said so. */
  readonly retry: number | undefined;
}

/** The events of a body, as they come. */
export async function* serverSentEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  /** Of a line that has not ended, and what may be half of its end. */
  let parts: string[] = [];
  let half = '';
  let id: string | undefined;
  let retry: number | undefined;
  let data: string[] = [];
  for await (const chunk of body) {
    const text = half + decoder.decode(chunk, { stream: true });
    // A line may end in `\r\n` that is cut in two.
    half = text.endsWith('\r') ? '\r' : '';
    for (const [at, part] of text
      .slice(0, text.length - half.length)
      .split(/\r\n|\n|\r/)
      .entries()) {
      if (at === 0) {
        parts.push(part);
        continue;
      }
      const line = parts.join('');
      parts = [part];
      if (line === '') {
        yield { data: data.join('\n'), id, retry };
        data = [];
        continue;
      }
      const [, field = '', value = ''] = /^([^:]*)(?:: ?)?(.*)$/s.exec(line) ?? [];
      if (field === 'data') data.push(value);
      else if (field === 'id') id = value;
      else if (field === 'retry' && /^\d+$/.test(value)) retry = Number(value);
    }
  }
}

/** A message as an event. A JSON text has no line breaks that count but between its values, where they may be spaces. */
export function eventOf(text: string): string {
  return `event: message\ndata: ${text.replace(/[\r\n]+/g, ' ')}\n\n`;
}
