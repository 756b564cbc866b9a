/** What users' tests need: a clock to move by hand, and the suites their own stores must pass. */

export { FakeClock } from './fake-clock.js';
export { type StoreCheck, storeContract } from './store-contract.js';
