// What the server tells, and what it is asked.

function show(figures) {
  const isIdle = figures.partitions !== undefined && callsOf(figures.stats).calls === 0;
  byId('charts').hidden = isIdle;
  byId('methods-section').hidden = isIdle && figures.methods.length === 0;
  byId('memory').hidden = isIdle && figures.stats.entries === 0;
  document.title = figures.title;
  byId('title').textContent = figures.title;
  byId('invalidate').hidden = figures.isReadOnly;
  byId('entry-delete').hidden = figures.isReadOnly;
  showCards(figures);
  showMethods(figures);
  showTiers(figures);
  showRemarks(figures);
  showPartitions(figures);
  showMemory(figures);
  if (embedded) showStillCharts(figures);
  else showCharts(figures);
  byId('status').textContent =
    `${embedded ? 'As of' : 'Live,'} ${formatTime(figures.time)} UTC${figures.isReadOnly && !embedded ? ' · read-only' : ''}`;
}

async function ask(name, body = {}) {
  const response = await fetch(name, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-toolstash-token': token },
    body: JSON.stringify(body),
  });
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({}));
  throw new Error(error ?? `The server answered ${response.status}`);
}

const askJson = (name, body) => ask(name, body).then((response) => response.json());

function complain(error) {
  byId('status').textContent = error.message;
}

/** Reads server-sent events. By fetch, as an EventSource can't send the token. */
async function listen() {
  for (;;) {
    try {
      const reader = (await ask('events')).body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
        const events = text.split('\n\n');
        text = events.pop();
        for (const event of events) {
          // Not by lines: texts may hold what ends one for JavaScript, not for JSON.
          const data = event.slice(event.indexOf('data: ') + 6);
          if (event.startsWith('event: problem')) complain(new Error(JSON.parse(data)));
          // After a break in the connection what was missed is known there.
          else if (event.startsWith('event: past'))
            past = JSON.parse(data).filter(({ time }) => !before || time > before.time);
          else show(JSON.parse(data));
        }
      }
      byId('status').textContent = 'Connection lost, trying again …';
    } catch (error) {
      complain(error);
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}
