import { main } from './main';

const io = {
  out: (text: string) => void process.stdout.write(text),
  err: (text: string) => void process.stderr.write(text),
};

// Not `process.exit`: what was written to a pipe would be lost.
void main(process.argv.slice(2), io).then((code) => (process.exitCode = code));
