/** Everything that users import, in one place: what the declarations are made from. */

export * from './arena/index.js';
export * from './dashboard/index.js';
export * from './http/index.js';
export * from './index.js';
export * from './keyv/index.js';
export * from './langchain/index.js';
export * from './mcp/index.js';
export * from './metrics/index.js';
export * from './recording/index.js';
export * from './redis/index.js';
export * from './rollout/index.js';
export * from './session/index.js';
export * from './source/index.js';
export * from './testing/index.js';
export * from './trust/index.js';
