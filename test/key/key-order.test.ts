import { describe, expect, it } from 'vitest';
import { KeyOrders } from '../../src/key/key-order.js';

describe('key orders', () => {
  it('sort keys by code point and print what comes before each value', () => {
    const { keys, prefixes } = new KeyOrders(JSON.stringify).orderOf(['\u{1f9a6}', 'b', '\uffee', 'a"']);
    expect(keys).toEqual(['a"', 'b', '\uffee', '\u{1f9a6}']);
    expect(prefixes).toEqual(['{"a\\"": ', ', "b": ', ', "\uffee": ', ', "\u{1f9a6}": ']);
  });

  it('are remembered per list of keys', () => {
    const orders = new KeyOrders(JSON.stringify);
    const first = orders.orderOf(['b', 'a']);
    expect(orders.orderOf(['b', 'a', 'c']).keys).toEqual(['a', 'b', 'c']);
    expect(orders.orderOf(['b']).keys).toEqual(['b']);
    expect(orders.orderOf(['a', 'b'])).not.toBe(first);
    expect(orders.orderOf(['b', 'a'])).toBe(first);
  });

  it('take bounded room, however many shapes come', () => {
    const orders = new KeyOrders(JSON.stringify, 100);
    for (let i = 0; i < 1000; i++) {
      expect(orders.orderOf([`k${i}`, 'a', `b${i % 7}`]).keys).toEqual(['a', `b${i % 7}`, `k${i}`]);
      expect(orders.slots).toBeLessThanOrEqual(100);
    }
    expect(orders.slots).toBeGreaterThan(0);
  });

  it('of very many keys, or of very long ones, are not remembered', () => {
    const orders = new KeyOrders(JSON.stringify);
    orders.orderOf(Array.from({ length: 65 }, (_, i) => `k${i}`));
    orders.orderOf(['x'.repeat(65)]);
    expect(orders.slots).toBe(0);
    orders.orderOf(Array.from({ length: 64 }, (_, i) => `k${i}`));
    expect(orders.slots).toBe(128);
  });
});
