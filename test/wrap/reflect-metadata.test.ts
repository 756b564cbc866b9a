/** What decorators such as NestJS's `@Get()` note by `reflect-metadata`, which goes by the identity of the function. */

import 'reflect-metadata';
import { expect, it } from 'vitest';
import { CacheManager } from '../../src/manager/cache-manager.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

const metadata = Reflect as unknown as {
  defineMetadata(key: string, value: unknown, target: object): void;
  getMetadata(key: string, target: object): unknown;
};

it('is kept where `cached` stands above the decorator that noted it', () => {
  const cache = new CacheManager({ clock: new FakeClock() });
  class Orders {
    async find(id: string) {
      return id;
    }
  }
  const descriptor = Object.getOwnPropertyDescriptor(Orders.prototype, 'find') as PropertyDescriptor;
  metadata.defineMetadata('path', '/orders', descriptor.value);
  (cache.cached as (...args: unknown[]) => unknown)(Orders.prototype, 'find', descriptor);
  expect(descriptor.value).not.toBe(Orders.prototype.find);
  expect(metadata.getMetadata('path', descriptor.value)).toBe('/orders');
});
