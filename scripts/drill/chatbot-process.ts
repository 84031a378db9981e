/** A chatbot of the drill as a process of its own: `chatbot-process.ts <port> <journal>`. */
import { chatbotServer } from './chatbot';

const [port, journal] = process.argv.slice(2);
chatbotServer(journal as string).listen(Number(port), '127.0.0.1');
