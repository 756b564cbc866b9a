/// <reference path="./raw.d.ts" />
/** The files of the page. They are part of this program: nothing is fetched from anywhere. */

import chartScript from '../../node_modules/uplot/dist/uPlot.iife.min.js?raw';
import chartStyle from '../../node_modules/uplot/dist/uPlot.min.css?raw';
import chartLicence from '../../node_modules/uplot/LICENSE?raw';
import entries from './page/entries.js?raw';
import format from './page/format.js?raw';
import icon from './page/icon.svg?raw';
import page from './page/index.html?raw';
import live from './page/live.js?raw';
import overTime from './page/over-time.js?raw';
import style from './page/style.css?raw';
import tables from './page/tables.js?raw';

/** A file as it is served. */
export interface PageFile {
  readonly type: string;
  readonly text: string;
}

const charts = `/*! uPlot\n${chartLicence.replaceAll('*/', '')}*/\n${chartScript}`;

/** One script, whose parts share their names; the last begins to work. */
const script = [format, tables, overTime, live, entries].join('\n');

/** By the last part of their path. */
export const pageFiles: Readonly<Record<string, PageFile>> = {
  '': { type: 'text/html; charset=utf-8', text: page },
  'app.js': { type: 'text/javascript; charset=utf-8', text: script },
  'charts.js': { type: 'text/javascript; charset=utf-8', text: charts },
  'icon.svg': { type: 'image/svg+xml', text: icon },
  'style.css': { type: 'text/css; charset=utf-8', text: `${chartStyle}\n${style}` },
};

/** What the page may do: its own files and its own place, nothing written into it. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');
