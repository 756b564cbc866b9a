/**
 * Functions and members of src/ that nothing in src/ uses: code for tests alone, or for nobody. What the package exports
 * is used from outside, and what has a contract by whoever knows that.
 */

import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** Used by a name that was computed or by a library, or looked at by tests of what is bounded. */
const usedOtherwise =
  /^(?:KeyvAdapter\.|TimedPolicy\.now$|AutoStore\.policy$|ServerRequests\.(?:asked|cancelled)$|(?:ArgumentIndex|MemoryTier|TagMarkers)\.size$|ArgumentIndex\.bytes$|KeyOrders\.slots$|LargeValue\.isReady$|TagMarkers\.watermark$)/;

const root = fileURLToPath(new URL('../', import.meta.url));
const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile);
const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const isOurs = (file) => file.startsWith(`${root}src/`);
const program = ts.createProgram(fileNames.filter(isOurs), options);
const checker = program.getTypeChecker();
const face = checker.getSymbolAtLocation(program.getSourceFile(`${root}src/public-face.ts`));
const exported = new Set(checker.getExportsOfModule(face).map(original));
/** Declarations that are named elsewhere. */
const used = new Set();
/** By the name of a member, the types through which it is used: a class that fits one may be meant. */
const contracts = new Map();
const declared = [];
for (const source of program.getSourceFiles()) if (isOurs(source.fileName)) visit(source);

for (const node of declared.filter(isUnused)) {
  const source = node.getSourceFile();
  const { line } = ts.getLineAndCharacterOfPosition(source, node.name.getStart());
  console.error(`${source.fileName.slice(root.length)}:${line + 1} nothing in src/ uses ${node.name.text}`);
  process.exitCode = 1;
}

function visit(node) {
  const isMember = ts.isMethodDeclaration(node) || ts.isGetAccessor(node) || ts.isPropertyDeclaration(node);
  const isFunction = ts.isFunctionDeclaration(node);
  if (isFunction || (isMember && ts.isClassLike(node.parent) && ts.isIdentifier(node.name)))
    declared.push(node);
  const isOwnName =
    node.parent?.name === node &&
    (ts.isFunctionDeclaration(node.parent) ||
      ts.isClassElement(node.parent) ||
      ts.isTypeElement(node.parent));
  if (ts.isIdentifier(node) && !isOwnName) for (const symbol of symbolsOf(node)) use(symbol);
  ts.forEachChild(node, visit);
}

function symbolsOf(node) {
  const { parent } = node;
  const found = [checker.getSymbolAtLocation(node)];
  if (ts.isShorthandPropertyAssignment(parent)) found.push(checker.getShorthandAssignmentValueSymbol(parent));
  if (ts.isBindingElement(parent))
    found.push(checker.getTypeAtLocation(parent.parent).getProperty(node.text));
  return found.filter((symbol) => symbol !== undefined).map(original);
}

function use(symbol) {
  for (const declaration of symbol.declarations ?? []) {
    used.add(declaration);
    const { parent } = declaration;
    if (ts.isTypeElement(declaration) && parent.members.length > 1 && isOurs(parent.getSourceFile().fileName))
      contracts.set(symbol.name, (contracts.get(symbol.name) ?? new Set()).add(parent));
  }
}

function isUnused(node) {
  const { name, parent } = node;
  if (used.has(node) || exported.has(checker.getSymbolAtLocation(name))) return false;
  if (!ts.isClassLike(parent)) return true;
  const owner = parent.name && checker.getSymbolAtLocation(parent.name);
  if (exported.has(owner) || usedOtherwise.test(`${owner?.name}.${name.text}`)) return false;
  const typeOf = (each) => checker.getTypeAtLocation(each);
  const above = (parent.heritageClauses ?? []).flatMap(({ types }) => types);
  if (above.some((each) => typeOf(each).getProperty(name.text) !== undefined)) return false;
  const meant = [...(contracts.get(name.text) ?? [])];
  return !meant.some((each) => checker.isTypeAssignableTo(typeOf(parent), typeOf(each)));
}

function original(symbol) {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}
