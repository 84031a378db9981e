/** PEM text with real line breaks, one at the end, and nothing else around its lines. */
export function pemLines(text: string): string {
  const lines = text.split(/\r?\n|\\r\\n|\\n/).map((line) => line.trim());
  return `${lines.filter(Boolean).join('\n')}\n`;
}
