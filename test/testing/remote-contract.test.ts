import { describe, it } from 'vitest';
import { MemoryRemote, remoteContract } from '../../src/testing/index.js';

describe('the remote tier in memory', () => {
  const spaces = new Map<string, MemoryRemote>();
  const spaceOf = (check: string) => {
    const space = spaces.get(check) ?? new MemoryRemote();
    spaces.set(check, space);
    return space;
  };
  for (const { name, run } of remoteContract(spaceOf)) it(name, run);
});
