// A reader of one group: `reader.js ADDRESS TOPIC GROUP COUNT`. Prints `begun` with its first record,
// continues after reading a line, and prints how many records it has seen at the end.

import readline from "node:readline";

import { Kafka, logLevel } from "kafkajs";

const [address, topic, groupId, count] = process.argv.slice(2);
const kafka = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({ groupId, maxBytes: 100_000, maxBytesPerPartition: 100_000 });

const lines = readline.createInterface({ input: process.stdin });
const told = new Promise((resolve) => lines.once("line", resolve));

const seen = new Set();
let progress = Date.now();

await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  eachMessage: async ({ message, heartbeat }) => {
    seen.add(message.offset);
    progress = Date.now();
    if (seen.size === 1) {
      console.log("begun");
      const beating = setInterval(() => heartbeat().catch(() => {}), 1_000);
      await told;
      clearInterval(beating);
      progress = Date.now();
    }
  },
});
await told;
while (seen.size < Number(count) && Date.now() - progress < 20_000) {
  await new Promise((resolve) => setTimeout(resolve, 20));
}
console.log(seen.size);
process.exit(0);
