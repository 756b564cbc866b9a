/** The page of a cache as a handler of Node's `http`: its files, its figures as they change, and single entries. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { CacheError, messageOf } from '../errors.js';
import type { CacheManager } from '../index.js';
import { type CacheCore, coreOf } from '../manager/cache-context.js';
import { TierUsages } from '../manager/tier-usages.js';
import { nextTurn } from '../next-turn.js';
import { nodeCrypto } from '../node-crypto.js';
import {
  type Defined,
  expected,
  expectedUnseen,
  given,
  integer,
  objectOf,
  refuseUnknown,
  text,
  trueOrFalse,
} from '../option-checks.js';
import { type AccessRules, hasToken, refusalOf } from './access.js';
import { entryDetails } from './entry-details.js';
import { countedBy, type DashboardFigures, figuresOf, type PartitionFigures } from './figures.js';
import { folderFigures } from './folder-figures.js';
import type { Counted } from './history.js';
import { MemoryScan } from './memory-scan.js';
import { pageFiles } from './page.js';
import { PausedSearches } from './paused-searches.js';
import {
  bodyOf,
  field,
  MalformedRequest,
  nameIn,
  placeOfPage,
  redirect,
  send,
  sendFile,
  sharedFigures,
  stream,
} from './responses.js';
import { DashboardWatch } from './watch.js';

/** What a dashboard may be asked, and by whom. */
export interface DashboardOptions {
  /**
   * What a request must know to see figures or change anything: at least 16 printable ASCII characters but spaces, `"`, `<`, `>` and
   * backticks, which URLs don't carry as they are. The page takes it from its URL, after `#token=`.
   * @default 32 random hex digits
   */
  readonly token?: string | undefined;
  /**
   * Whether entries can only be looked at.
   * @default false
   */
  readonly readOnly?: boolean | undefined;
  /**
   * Names, without ports, by which the page is reached besides `localhost`, `127.0.0.1` and `[::1]`.
   * @default []
   */
  readonly hosts?: readonly string[] | undefined;
  /**
   * Milliseconds between two readings of the figures while a page is open.
   * @default 1000
   */
  readonly interval?: number | undefined;
  /**
   * What the page is called.
   * @default 'Toolstash'
   */
  readonly title?: string | undefined;
}

/** The dashboard of one cache. */
export interface Dashboard {
  /** What the page needs to know: open `http://localhost:<port>/#token=<token>`. */
  readonly token: string;
  /** Answers requests: for `http.createServer`, or mounted under a path. */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void;
  /** Ends what open pages listen to, and the history; whatever is asked from then on is refused. The cache stays open. */
  close(): void;
}

/** What the command line knows besides. */
export interface DashboardSource {
  readonly cache: CacheManager;
  readonly options: DashboardOptions;
  readonly partitions?: (() => Promise<readonly PartitionFigures[]>) | undefined;
  /** What others have counted, in the place of this process; `undefined` where nobody has left anything. */
  readonly counted?: (() => Promise<Counted | undefined>) | undefined;
}

/**
 * A web page that shows what a cache of this process does, as it does it: figures by method, entries by tier, what expires
 * when, and single entries to look at and delete, and how things went since this was called. A hit does nothing for it.
 * @throws InvalidOptionError naming the option, its value and the fix
 *
 * @example
 * const { handler, token } = dashboard(cache);
 * createServer(handler).listen(8080, '127.0.0.1');
 * console.log(`http://127.0.0.1:8080/#token=${token}`);
 */
export function dashboard(cache: CacheManager, options: DashboardOptions = {}): Dashboard {
  return createDashboard({ cache, options });
}

const done = { done: true };

/** Those of the folder that a cache persists in; none before it is made, or where it can't be read, which the cache's own look-ups tell. */
function ownPartitions({ options }: CacheCore): DashboardSource['partitions'] {
  const { persist, disk } = options;
  if (!persist || disk === undefined) return undefined;
  const read = folderFigures(disk.persistDir);
  return () => read().catch(() => []);
}

/** What a request is answered with. */
type Answer = (body: unknown) => Promise<unknown>;

/** The same, of what the command line opens. @throws InvalidOptionError */
export function createDashboard({ cache, options, counted, ...source }: DashboardSource): Dashboard {
  const core = typeof cache === 'object' && cache !== null ? coreOf(cache) : undefined;
  if (core === undefined) throw expected('cache', 'a `CacheManager` of this build of the package', cache);
  const { token, readOnly, hosts, interval, title } = resolve(options);
  const partitions = source.partitions ?? ownPartitions(core);
  const rules: AccessRules = { token, hosts };
  const streams = new Set<() => void>();
  let isClosed = false;
  const watch = new DashboardWatch(core, async () => (await counted?.()) ?? countedBy(core));
  const figuresWith = async (files: typeof partitions) => {
    const watched = await watch.read();
    return figuresOf(core, { title, isReadOnly: readOnly, partitions: await files?.(), ...watched });
  };
  const figures = () => figuresWith(partitions);
  // Open pages get what is known at once: many files take a while, and the next figures tell of them.
  const knownFiles = partitions && (() => Promise.race([partitions(), nextTurn().then(() => [])]));
  const searches = new PausedSearches(core);
  const forStreams = sharedFigures(() => figuresWith(knownFiles), interval);
  const asks: Readonly<Record<string, Answer>> = {
    figures,
    search: (body) => searches.begin({ method: field(body, 'method'), text: field(body, 'text') }),
    'search-on': (body) => searches.continue(field(body, 'cursor')),
    entry: async (body) =>
      (await entryDetails(core, { method: field(body, 'method'), key: field(body, 'key') })) ?? null,
  };
  const changes: Readonly<Record<string, Answer>> = {
    // Whether memory had it says nothing of the slower tiers.
    delete: (body) => cache.deleteKey(field(body, 'method'), field(body, 'key')).then(() => done),
    clear: (body) => cache.clear(field(body, 'method')).then(() => done),
    invalidate: (body) => cache.invalidateTags([field(body, 'tag')]).then(() => done),
  };
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const refusal = refusalOf(request, rules);
    if (refusal !== undefined) return send(response, 403, { error: refusal });
    const name = nameIn(request.url);
    const place = placeOfPage(request);
    if (place !== undefined) return redirect(response, place);
    if (Object.hasOwn(pageFiles, name) && request.method === 'GET') return sendFile(response, name);
    const change = Object.hasOwn(changes, name) ? changes[name] : undefined;
    const answer = change ?? (Object.hasOwn(asks, name) ? asks[name] : undefined);
    if (answer === undefined && name !== 'events')
      return send(response, 404, { error: 'There is no such thing here' });
    if (!hasToken(request, rules))
      return send(response, 401, { error: 'The token is missing or wrong: open the page with #token=…' });
    if (request.method !== 'POST') return send(response, 405, { error: 'Expected a POST' });
    if (change !== undefined && readOnly)
      return send(response, 403, { error: 'Nothing can be changed here' });
    const body = await bodyOf(request);
    if (isClosed) return send(response, 503, { error: 'This dashboard was closed' });
    if (answer === undefined)
      return stream(response, { figures: forStreams, past: () => watch.past, interval, streams });
    return send(response, 200, await answer(body));
  };
  return {
    token,
    handler: (request, response) => {
      respond(request, response).catch((error: unknown) => {
        if (response.headersSent) response.destroy();
        else send(response, isMalformed(error) ? 400 : 500, { error: messageOf(error) });
      });
    },
    close() {
      isClosed = true;
      watch.stop();
      searches.close();
      for (const end of streams) end();
    },
  };
}

/** The figures of a cache as they are now, for a page that stays as it is. */
export async function stillFigures(
  cache: CacheManager,
  { title, partitions }: { readonly title: string; readonly partitions?: readonly PartitionFigures[] },
): Promise<DashboardFigures> {
  const core = coreOf(cache);
  if (core === undefined) throw expected('cache', 'a `CacheManager` of this build of the package', cache);
  // Of when it was made, whatever clock the cache goes by.
  const now = { counted: countedBy(core), usage: await new TierUsages(core).read(), lookups: [] };
  const memory = await new MemoryScan(core).whole();
  return { ...figuresOf(core, { title, isReadOnly: true, partitions, memory, ...now }), time: Date.now() };
}

/** Whether the request is what is wrong: as such, or as an argument of the cache. */
function isMalformed(error: unknown): boolean {
  if (error instanceof CacheError) return error.code === 'ERR_INVALID_ARGUMENT';
  return error instanceof MalformedRequest;
}

const shortestToken = 16;

function resolve(options: DashboardOptions): Required<Defined<DashboardOptions>> {
  refuseUnknown(
    objectOf(options, 'dashboard', 'an object of options'),
    ['token', 'readOnly', 'hosts', 'interval', 'title'],
    { of: 'dashboard' },
  );
  const token: unknown = given(options.token, nodeCrypto().randomBytes(16).toString('hex'));
  if (typeof token !== 'string' || !/^[!#-;=?-_a-~]+$/.test(token) || token.length < shortestToken)
    throw expectedUnseen(
      'token',
      `at least ${shortestToken} printable ASCII characters without spaces, ", <, > and \``,
      token,
    );
  const hosts: unknown = given(options.hosts, []);
  if (!Array.isArray(hosts)) throw expected('hosts', 'a list of host names', hosts);
  return {
    token,
    readOnly: trueOrFalse(given(options.readOnly, false), 'readOnly'),
    hosts: hosts.map((host: unknown, at) => text(host, `hosts[${at}]`).toLowerCase()),
    interval: integer(given(options.interval, 1000), 'interval', { from: 50, to: 3_600_000 }),
    title: text(given(options.title, 'Toolstash'), 'title'),
  };
}
