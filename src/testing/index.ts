/** What users' tests need: a clock to move by hand, and the suites their own stores must pass. */

export { FakeClock } from './fake-clock.js';
export { MemoryRemote, type MemoryRemoteOptions } from './memory-remote.js';
export { type RemoteCheck, remoteContract } from './remote-contract.js';
export { type StoreCheck, storeContract } from './store-contract.js';
