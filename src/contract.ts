/** What people implement: clocks, stores, tiers behind memory, sets of known keys. Their declarations are a page of their own. */

export type { Clock, Timer, TimerOptions } from './clock.js';
export type { EntryMetadata, TierName } from './entry.js';
export type { KnownKeys } from './guard/known-keys.js';
export type { KeyOrigin } from './key/key-origin.js';
export type { ClockOffset, Stamp } from './stamp.js';
export { BoundedStore, type EvictionOrder, type OrderNode } from './store/bounded-store.js';
export { KeyedOrder } from './store/keyed-order.js';
export type { MemoryOptions, MemoryPressure } from './store/memory-options.js';
export type { RemovalReason, Store, StoreEntry, StoreFactory, StoreOptions } from './store/store.js';
export type {
  DiskStatus,
  KeyChange,
  LeaseVerdict,
  LoadLease,
  LoadLeaseRequest,
  LoadTicket,
  LoadWatch,
  LoadWatchListener,
  LookupOutcome,
  MethodChange,
  Remote,
  RemoteChange,
  RemoteStatus,
  RemoteTier,
  RemoteWiring,
  Sliding,
  SlowTier,
  TagChange,
  TierMetadata,
  TierRecord,
  UnknownChange,
} from './tier.js';
export type { ClassCodec } from './value/class-codec.js';
