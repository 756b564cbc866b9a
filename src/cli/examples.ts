/** What to type: the examples at the end of each command's help. */

/** By command; the program's own under `''`. */
export const examples: Readonly<Record<string, readonly string[]>> = {
  '': [
    'replay trace.jsonl --persist',
    'inspect cache',
    'get cache search \'{"query": "mvcc"}\'',
    'help replay',
  ],
  replay: [
    "replay trace.jsonl --writes 'book_*,send_*'",
    'replay --compare lru,gdsf --max-bytes 64KiB',
    'replay trace.jsonl --persist --persist-dir cache --cache multi',
    "replay trace.jsonl --load-cache 'runs/*/cache'",
    'replay trace.jsonl --redis redis://localhost:6379',
  ],
  simulate: [
    'simulate trace.jsonl',
    'simulate trace.jsonl --sizes 16MiB,64MiB,256MiB --policies lru,gdsf',
    'simulate P3.lis.gz --sizes 1000,10000',
    'simulate cdn.csv.zst --columns obj-id-col=2,obj-size-col=3',
  ],
  proxy: [
    "proxy --tools 'read_*' --ttl 5m -- npx -y @modelcontextprotocol/server-filesystem .",
    'proxy --tools search --identity docs --persist-dir cache -- npx docs-server',
    'proxy --config proxy.json',
    'proxy --config proxy.json --check',
  ],
  report: [
    'report cache',
    'report --redis redis://localhost:6379 --json',
    'report cache --html cache.html',
    "report trace.jsonl --html trace.html --writes 'book_*'",
  ],
  dashboard: ['dashboard cache', 'dashboard cache --port 8080 --allow-changes'],
  inspect: [
    'inspect cache',
    "inspect 'runs/*/cache' --json",
    'inspect test/recording --params',
    'inspect --redis redis://localhost:6379',
  ],
  verify: ['verify cache', "verify 'cache/2026-11/*.cache'"],
  get: [
    'get cache search \'{"query": "mvcc"}\'',
    'get cache find_order \'{"id": 7}\' --scope tenant-1 --tool-version 2',
    'get search \'{"query": "mvcc"}\' --redis',
    'get test/recording search --key 26518cab557116298782478c6024f43f',
  ],
  export: ['export cache > entries.jsonl', "export 'runs/*/cache' | gzip > entries.jsonl.gz"],
  import: [
    'import cache entries.jsonl',
    'import entries.jsonl --redis',
    'export old-cache | toolstash import cache',
  ],
  delete: [
    'delete cache search \'{"query": "mvcc"}\'',
    'delete cache find_order --scope tenant-1 --dry-run',
    'delete find_order --scope tenant-1 --redis redis://localhost:6379',
    'delete cache search --key 26518cab557116298782478c6024f43f',
  ],
  consolidate: ['consolidate cache --max-disk-age 30d', 'consolidate cache --max-disk-bytes 10GiB --json'],
  merge: ['merge node-1/cache node-2/cache --into cache'],
};

/** The examples of a command as the end of its help. */
export function exampleText(command: string): string {
  const lines = (examples[command] ?? []).map((line) => `  toolstash ${line}`);
  return `\nExamples:\n${lines.join('\n')}\n`;
}
