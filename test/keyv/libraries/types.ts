/** Compiled by the tests, where these libraries are installed. */

import { Keyv, type KeyvStoreAdapter } from 'keyv';
import { Keyv as Keyv6, type KeyvStorageAdapter } from 'keyv-6';
import { CacheManager } from '../../../src/index.js';
import { Keyv5Adapter, Keyv6Adapter } from '../../../src/keyv/index.js';

const cache = new CacheManager();
const five: KeyvStoreAdapter = new Keyv5Adapter(cache, { method: 'users' });
const six: KeyvStorageAdapter = new Keyv6Adapter(cache);
export const keyvs = [new Keyv<string>({ store: five }), new Keyv6<string>({ store: six })];
// @ts-expect-error no cache
new Keyv6Adapter();
// @ts-expect-error no such option
new Keyv5Adapter(cache, { namespace: 'users' });
