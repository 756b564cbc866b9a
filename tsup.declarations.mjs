/**
 * Lays the declarations out as pages that people can read: one for users of the library, one for the contracts that they
 * may implement, one for their tests. What is exported says so where it is declared, which also lets users add to an
 * interface (`StoreNames`); comments on source files, which say nothing there, are left out; what fits on one line
 * stands on one.
 */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';

const width = 120;
const root = new URL('./', import.meta.url);
/** The pages besides `index`, and the files whose declarations or exports each holds. */
const otherPages = {
  contract: ['src/contract.ts'],
  wrapped: [
    ...['src/wrap/wrapped-types.ts', 'src/wrap/decorator-types.ts'],
    ...['src/wrap/wrap-options.ts', 'src/tools/tool-rules.ts', 'src/tools/effect.ts'],
  ],
  testing: [
    ...['src/testing/index.ts', 'src/testing/store-contract.ts'],
    ...['src/testing/memory-remote.ts', 'src/testing/remote-contract.ts', 'src/testing/remote-machine.ts'],
  ],
  keyv: ['src/keyv/index.ts'],
  mcp: ['src/mcp/index.ts'],
  langchain: ['src/langchain/index.ts'],
  redis: ['src/redis/index.ts'],
  session: ['src/session/index.ts'],
  source: [
    ...['src/source/index.ts', 'src/source/cache-aside.ts', 'src/source/paged-log.ts'],
    ...['src/source/polled-source.ts', 'src/source/secret-fields.ts'],
  ],
  metrics: [
    ...['src/metrics/index.ts', 'src/metrics/source.ts'],
    ...['src/metrics/prometheus.ts', 'src/metrics/open-telemetry.ts'],
    ...['src/figures/process-figures.ts', 'src/figures/share-figures.ts'],
  ],
  http: [
    ...[
      'src/http/index.ts',
      'src/http/cache-control.ts',
      'src/http/fetch-types.ts',
      'src/http/node-types.ts',
    ],
    ...['src/http/response-cache.ts', 'src/http/response-cache-options.ts', 'src/http/storable.ts'],
    'src/http/undici-store.ts',
  ],
  rollout: ['src/rollout/index.ts'],
  recording: ['src/recording/index.ts'],
  trust: ['src/trust/index.ts'],
  dashboard: ['src/dashboard/index.ts'],
  arena: ['src/arena/index.ts', 'src/store/arena-options.ts'],
};
/** Pages of their own for users, who import them by these names: the main one does not pass on what is theirs. */
export const subpaths = Object.keys(JSON.parse(readFileSync(new URL('package.json', root), 'utf8')).exports)
  .map((path) => path.slice(2))
  .filter((path) => path !== '' && !path.endsWith('.json'));

/**
 * The text of each page.
 *
 * @param text all declarations, bundled
 * @param namesOn the names on each page but `index`, which holds the rest
 * @param extension what one page imports another by: `js` or `cjs`
 */
export function pagesOf(text, namesOn, extension) {
  const source = ts.createSourceFile('all.d.ts', text, ts.ScriptTarget.ESNext, true);
  const exported = new Set(source.statements.filter(isExportList).flatMap(namesOf));
  const pages = ['index', ...Object.keys(namesOn)];
  const pageOf = (name) => pages.find((page) => namesOn[page]?.includes(name)) ?? 'index';
  const declarations = source.statements
    .filter((statement) => !isExportList(statement) && !ts.isImportDeclaration(statement))
    .map((statement) => {
      const name = statement.name?.text;
      if (name === undefined) throw new Error(`Expected a declaration, got \`${statement.getText()}\``);
      return { name, statement, page: pageOf(name), uses: namesUsedBy(statement) };
    });
  for (const each of declarations) {
    if (each.page === 'index' && !exported.has(each.name)) each.page = onlyPageUsing(each.name) ?? 'index';
  }
  const fromLibraries = source.statements
    .filter(ts.isImportDeclaration)
    .flatMap(({ importClause, moduleSpecifier }) =>
      importClause.namedBindings.elements.map(({ name }) => ({
        name: name.text,
        path: moduleSpecifier.getText(),
      })),
    );
  // Without a statement of that kind, everything in a declaration file would be exported.
  const textOf = (page) => [
    ...fromLibraries
      .filter((each) => isUsedOn(page, each))
      .flatMap(({ name, path }) => listed('import', [name], path)),
    ...importsOf(page),
    ...declarations.filter(isOn(page)).map(laidOut),
    '\nexport {};',
  ];
  return Object.fromEntries(pages.map((page) => [page, `${textOf(page).join('\n').trimStart()}\n`]));

  function isOn(page) {
    return (declaration) => declaration.page === page;
  }

  /** Of what nobody exports. */
  function onlyPageUsing(name) {
    const using = declarations.filter((each) => each.name !== name && each.uses.has(name));
    const users = new Set(using.map(({ page }) => page));
    return users.size === 1 ? [...users][0] : undefined;
  }

  function isUsedOn(page, { name }) {
    return declarations.some((each) => each.page === page && each.uses.has(name));
  }

  /** What a page takes from the others, and what the main one passes on from them. */
  function importsOf(page) {
    return pages.flatMap((from) => {
      if (from === page) return [];
      const path = `'./${from}.${extension}'`;
      const theirs = declarations.filter(isOn(from)).sort((a, b) => (a.name < b.name ? -1 : 1));
      const used = theirs.filter((each) => isUsedOn(page, each)).map(({ name }) => name);
      const isMain = page === 'index' && !subpaths.includes(from);
      const passedOn = isMain ? theirs.filter(({ name }) => exported.has(name)) : [];
      const [types, values] = [passedOn.filter(isType), passedOn.filter((each) => !isType(each))];
      return [
        ...listed('import type', used, path),
        ...listed(
          'export type',
          types.map(({ name }) => name),
          path,
        ),
        ...listed(
          'export',
          values.map(({ name }) => name),
          path,
        ),
      ];
    });
  }

  function laidOut(declaration) {
    const { name, page, statement } = declaration;
    const isGiven = exported.has(name) || pages.some((each) => each !== page && isUsedOn(each, declaration));
    const body = compacted(text.slice(statement.getStart(source), statement.end));
    return `\n${commentOn(statement)}${isGiven ? 'export ' : ''}${body}`;
  }

  /** The comment right above; those further up are about a file. */
  function commentOn(statement) {
    const last = ts.getLeadingCommentRanges(text, statement.pos)?.at(-1);
    if (last === undefined) return '';
    const isAbove = /^\r?\n$/.test(text.slice(last.end, statement.getStart(source)));
    return isAbove ? `${compactedComment(text.slice(last.pos, last.end), '')}\n` : '';
  }
}

function namesUsedBy(statement) {
  const used = new Set();
  const visit = (node) => {
    if (ts.isIdentifier(node)) used.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return used;
}

function isType({ statement }) {
  return ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement);
}

function listed(verb, names, path) {
  if (names.length === 0) return [];
  return [wrap(`${verb} { ${names.join(', ')} } from ${path};`, width - 2).join('\n  ')];
}

function compacted(body) {
  return body
    .replace(/^ +/gm, (indent) => ' '.repeat(Math.ceil(indent.length / 2)))
    .replace(
      /^( *)\/\*\*[\s\S]*?\*\//gm,
      (comment, indent) => indent + compactedComment(comment.trim(), indent),
    )
    .replace(/^.*[:&|=] \{\n(?: +[^\n{}*]*;\n)+ *\}/gm, (literal) => {
      const line = literal.replace(/;\n *\}/g, ' }').replace(/\n */g, ' ');
      return line.length < width ? line : literal;
    });
}

/** A comment without lines of its own for its marks and its short tags. What is laid out by hand stays so. */
function compactedComment(comment, indent) {
  const lines = comment
    .slice(3, -2)
    .split('\n')
    .map((line) => line.replace(/^ *\* ?/, '').trimEnd());
  while (lines[0]?.trim() === '') lines.shift();
  while (lines.at(-1)?.trim() === '') lines.pop();
  if (lines.some((line) => /^@example|^```|^- /.test(line)))
    return ['/**', ...lines.map((line) => ` * ${line}`.trimEnd()), ' */'].join(`\n${indent}`);
  const paragraphs = lines.join('\n').split(/\n\n(?!@)/);
  paragraphs[paragraphs.length - 1] += ' */';
  const wrapped = paragraphs.flatMap((paragraph, at) => [
    ...(at === 0 ? [] : ['']),
    ...wrap(paragraph, width - indent.length - 4),
  ]);
  return `/** ${wrapped.join(`\n${indent} * `)}`.replace(/ +$/gm, '');
}

function wrap(text, room) {
  const lines = [];
  // A tag stays with its first word, and the end with the last.
  for (const word of text
    .trim()
    .replace(/\s+/g, ' ')
    .match(/(?:(?:@\w+|from) )?\S+(?: \*\/)?/g)) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function isExportList(statement) {
  return ts.isExportDeclaration(statement) && statement.moduleSpecifier === undefined;
}

function namesOf(statement) {
  return statement.exportClause.elements.map(({ name, propertyName }) => {
    if (propertyName === undefined) return name.text;
    throw new Error(`Expected exports under their own names, got \`${propertyName.text} as ${name.text}\``);
  });
}

/** The names that a file declares, or passes on. */
function namesIn(file) {
  const source = ts.createSourceFile(file, readFileSync(new URL(file, root), 'utf8'), ts.ScriptTarget.ESNext);
  return source.statements.flatMap((each) =>
    ts.isExportDeclaration(each) ? namesOf(each) : (each.name?.text ?? []),
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const names = Object.fromEntries(
    Object.entries(otherPages).map(([page, files]) => [page, files.flatMap(namesIn)]),
  );
  const all = new URL('dist/index.d.ts', root);
  const text = readFileSync(all, 'utf8');
  rmSync(all);
  for (const [extension, own] of [
    ['js', 'ts'],
    ['cjs', 'cts'],
  ]) {
    for (const [page, declarations] of Object.entries(pagesOf(text, names, extension)))
      writeFileSync(new URL(`dist/${page}.d.${own}`, root), declarations);
  }
}
