/** Files that become texts of the program: by Vite in tests, by `textFiles` of tsup.config.ts in builds. */
declare module '*?raw' {
  const text: string;
  export default text;
}
