/** The page as one file: its figures as they were, nothing to ask for. */

import { nodeCrypto } from '../node-crypto.js';
import type { DashboardFigures } from './figures.js';
import { pageFiles } from './page.js';
import { asJson } from './responses.js';

/** A page that needs no server: what it may do is its own script and style, which their hashes name. */
export function staticPage(figures: DashboardFigures): string {
  const [page, script, style] = ['', 'app.js', 'style.css'].map((name) => pageFiles[name]?.text ?? '');
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  // Nothing in a text can end the block that it stands in.
  const data = JSON.stringify(figures, asJson).replaceAll('<', '\\u003c');
  return put(page, [
    [charset, `${charset}\n    <meta http-equiv="Content-Security-Policy" content="${policy}" />`],
    ['<link rel="stylesheet" href="style.css" />', `<style>${style}</style>`],
    ['<link rel="icon" href="icon.svg" />', ''],
    ['<script src="charts.js" defer></script>', ''],
    ['<script src="app.js" defer></script>', ''],
    [
      '</body>',
      `<script type="application/json" id="figures">${data}</script><script>${script}</script></body>`,
    ],
  ]);
}

const charset = '<meta charset="utf-8" />';

function hashOf(text = ''): string {
  return `'sha256-${nodeCrypto().createHash('sha256').update(text).digest('base64')}'`;
}

/** @throws where the page lacks what is to be replaced */
function put(page = '', replacements: readonly (readonly [what: string, by: string])[]): string {
  return replacements.reduce((text, [what, by]) => {
    const at = text.indexOf(what);
    if (at < 0) throw new Error(`Expected the page to hold ${what}`);
    return text.slice(0, at) + by + text.slice(at + what.length);
  }, page);
}
