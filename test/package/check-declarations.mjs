/** The public face as an editor shows it: short enough to read, nothing besides what is exported, a text for all of it. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { subpaths } from '../../tsup.declarations.mjs';

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
const sources = fileURLToPath(new URL('../../src/', import.meta.url));
/** The most lines of each page. */
const pages = {
  ...{ index: 1000, contract: 550, wrapped: 220, testing: 100 },
  ...{ keyv: 150, mcp: 70, langchain: 90, redis: 90, http: 260 },
  ...{ session: 420, metrics: 190, rollout: 230, source: 180, recording: 140, trust: 210, dashboard: 60 },
  ...{ arena: 90 },
};
/** The pages that users import by name. */
const entries = ['index', ...subpaths];
/** What a page declares and the package does not export: the arithmetic of types, never named by users. */
const helpers = {
  keyv: ['Held', 'KeyvAdapter'],
  session: ['RedisPlace', 'ReplyOf'],
  wrapped: [
    ...[
      'AnyGenerator',
      'AnyAsyncGenerator',
      'Overloads',
      'ArgumentsOf',
      'ResultOf',
      'Promising',
      'Promised',
      'PromisingCall',
      'BeyondPromise',
    ],
    ...[
      'Calls',
      'Call',
      'OneReading',
      'Together',
      'Of',
      'PlainPromiseOnly',
      'MethodContext',
      'TakenBy',
      'AnyGenerator',
      'AnyAsyncGenerator',
    ],
  ],
};

const files = Object.keys(pages).map((page) => `${dist}${page}.d.ts`);
const entryFiles = entries.map((entry) => `${sources}${entry === 'index' ? '' : `${entry}/`}index.ts`);
const options = { module: ts.ModuleKind.NodeNext, strict: true, types: ['node'] };
const program = ts.createProgram([...files, ...entryFiles], {
  ...options,
  lib: ['lib.es2023.d.ts', 'lib.esnext.d.ts'],
});
const checker = program.getTypeChecker();
const exportsOfFile = (file) =>
  checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)));
const exportsOf = (page) => exportsOfFile(`${dist}${page}.d.ts`);
/** By the sources: a page may export more, by mistake. */
const exported = new Set(entryFiles.flatMap(exportsOfFile).map(({ name }) => name));
const problems = [];

for (const [page, most] of Object.entries(pages)) {
  const { text, statements } = program.getSourceFile(`${dist}${page}.d.ts`);
  const lines = text.trimEnd().split('\n').length;
  if (lines > most) problems.push(`${page}.d.ts: expected at most ${most} lines, got ${lines}`);
  const inCommonJs = readFileSync(`${dist}${page}.d.cts`, 'utf8').replaceAll(".cjs'", ".js'");
  if (inCommonJs.replace(/\s+/g, ' ') !== text.replace(/\s+/g, ' '))
    problems.push(`${page}.d.cts: expected what ${page}.d.ts says`);
  for (const { name } of statements) {
    if (name !== undefined && !exported.has(name.text) && !helpers[page]?.includes(name.text))
      problems.push(`${page}.d.ts: expected \`${name.text}\` to be exported, or not declared`);
  }
  console.log(`${page}.d.ts: ${lines} lines of at most ${most}`);
}

for (const page of entries) {
  for (const { name } of exportsOf(page)) {
    if (!exported.has(name)) problems.push(`${page}.d.ts: expected \`${name}\` not to be exported`);
  }
}
for (const symbol of entries.flatMap(exportsOf)) {
  const own = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  problems.push(...undocumented(own, own.name).map((name) => `Expected a text on \`${name}\``));
}
console.log(`${exported.size} exports`);
if (problems.length > 0)
  throw new Error(`The declarations are not as they should be:\n  ${problems.join('\n  ')}`);

/** The paths of what has no text of its own and inherits none. */
function undocumented(symbol, path) {
  const parts = symbol.declarations.filter((each) => each.getSourceFile().fileName.startsWith(dist));
  const members = parts.flatMap((each) => membersOf(ts.isTypeAliasDeclaration(each) ? each.type : each));
  return [...lacking(symbol, path), ...members.flatMap((member) => undocumentedMember(member, path))];
}

/** The members that a declaration writes out itself, those of type literals too. */
function membersOf(node) {
  if (node === undefined) return [];
  if (ts.isUnionTypeNode(node) || ts.isIntersectionTypeNode(node)) return node.types.flatMap(membersOf);
  return node.members ?? [];
}

/** A constructor and a call are shown with the text of what they belong to, unless a comment of their own hides it. */
function undocumentedMember(member, path) {
  if (ts.isConstructorDeclaration(member)) {
    const comments = ts.getJSDocCommentsAndTags(member).filter(ts.isJSDoc);
    return comments.some(({ comment }) => comment === undefined) ? [`new ${path}()`] : [];
  }
  if (member.name === undefined || ts.isPrivateIdentifier(member.name)) return [];
  const own = `${path}.${member.name.getText()}`;
  const inner = membersOf(member.type).flatMap((each) => undocumentedMember(each, own));
  return [...lacking(checker.getSymbolAtLocation(member.name), own), ...inner];
}

function lacking(symbol, path) {
  return symbol.getDocumentationComment(checker).length === 0 ? [path] : [];
}
