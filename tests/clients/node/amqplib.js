// The amqplib suite: `amqplib.js [part of a claim]`, against AMQP_ADDRESS.

import { randomUUID } from "node:crypto";

import amqp from "amqplib";

import { equal, eventually, run, unique } from "./checks.js";

const ADDRESS = process.env.AMQP_ADDRESS ?? "127.0.0.1:5672";

// Passes a connection to `use`, and closes it at the end.
async function connected(use) {
  const connection = await amqp.connect(`amqp://guest:guest@${ADDRESS}`);
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

// Passes a confirm channel and a fresh queue to `use`, and deletes the queue at the end.
function withQueue(options, use) {
  return connected(async (connection) => {
    const channel = await connection.createConfirmChannel();
    const queue = unique("queue");
    await channel.assertQueue(queue, options);
    await use(channel, queue, connection);
    await channel.deleteQueue(queue);
  });
}

// Sends each text to the queue and waits for the confirms.
async function send(channel, queue, texts, options = { persistent: true }) {
  for (const text of texts) channel.sendToQueue(queue, Buffer.from(text), options);
  await channel.waitForConfirms();
}

async function ready(channel, queue) {
  return (await channel.checkQueue(queue)).messageCount;
}

const numbered = (count) => [...Array(count).keys()].map(String);

async function confirmedMessagesArriveInOrder() {
  await withQueue({ durable: true }, async (channel, queue) => {
    await channel.prefetch(10);
    await send(channel, queue, numbered(100), { headers: { deep: { a: [1, "b"] } } });
    const found = [];
    const { consumerTag } = await channel.consume(queue, (message) => {
      found.push(message.content.toString());
      equal(message.properties.headers.deep, { a: [1, "b"] });
      channel.ack(message);
    });
    await eventually(() => found.length === 100);
    await channel.cancel(consumerTag);
    equal(found, numbered(100));
    equal(await channel.get(queue), false);
  });
}

async function whatNoQueueTakesComesBack() {
  await withQueue({}, async (channel) => {
    const returned = [];
    channel.on("return", (message) => returned.push(message.fields.replyText));
    channel.publish("", unique("nowhere"), Buffer.from("lost"), { mandatory: true });
    await channel.waitForConfirms();
    equal(returned, ["NO_ROUTE"]);
  });
}

async function aFullQueueRefusesWithANack() {
  await withQueue({ maxLength: 1, arguments: { "x-overflow": "reject-publish" } }, async (channel, queue) => {
    await send(channel, queue, ["fits"]);
    let refusal;
    await send(channel, queue, ["too much"]).catch((error) => (refusal = error.message));
    equal(refusal, "message nacked");
  });
}

async function aRejectedMessageIsADeadLetter() {
  await withQueue({ durable: true }, async (channel, dead) => {
    const options = { deadLetterExchange: "", deadLetterRoutingKey: dead, messageTtl: 60_000, maxPriority: 5 };
    const work = unique("work");
    await channel.assertQueue(work, options);
    await send(channel, work, ["bad"], { priority: 3, expiration: 30_000 });
    channel.nack(await channel.get(work), false, false);
    await eventually(async () => (await ready(channel, dead)) === 1);
    const letter = await channel.get(dead, { noAck: true });
    const [death] = letter.properties.headers["x-death"];
    equal([death.queue, death.reason, death.count, death["original-expiration"]], [work, "rejected", 1, "30000"]);
    await channel.deleteQueue(work);
  });
}

async function callsAreAnsweredByDirectReplyTo() {
  await withQueue({}, async (channel, queue) => {
    const { consumerTag } = await channel.consume(queue, (message) => {
      const { replyTo, correlationId } = message.properties;
      channel.sendToQueue(replyTo, Buffer.from(`re: ${message.content}`), { correlationId });
      channel.ack(message);
    });
    const answers = {};
    const answered = (message) => (answers[message.properties.correlationId] = message.content.toString());
    await channel.consume("amq.rabbitmq.reply-to", answered, { noAck: true });
    const correlationId = randomUUID();
    channel.sendToQueue(queue, Buffer.from("question"), { correlationId, replyTo: "amq.rabbitmq.reply-to" });
    await eventually(() => answers[correlationId]);
    equal(answers[correlationId], "re: question");
    await channel.cancel(consumerTag);
  });
}

async function aDeletedQueueCancelsItsConsumer() {
  await connected(async (connection) => {
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue(unique("queue"));
    const found = [];
    await channel.consume(queue, (message) => found.push(message));
    await channel.deleteQueue(queue);
    await eventually(() => found.length === 1);
    equal(found, [null]);
  });
}

async function anErrorEndsItsChannelAlone() {
  await withQueue({}, async (channel, queue, connection) => {
    const other = await connection.createChannel();
    const errors = [];
    other.on("error", (error) => errors.push(error.code));
    await other.checkQueue(unique("missing")).catch((error) => errors.push(error.code));
    equal(errors, [404, 404]);
    await send(channel, queue, ["still here"]);
  });
}

async function aStreamIsReadFromItsBeginning() {
  const options = { durable: true, arguments: { "x-queue-type": "stream" } };
  await withQueue(options, async (channel, queue, connection) => {
    await send(channel, queue, numbered(10));
    for (const offset of ["first", 5]) {
      const reader = await connection.createChannel();
      const found = [];
      await reader.prefetch(100);
      const took = (message) => {
        found.push(message.properties.headers["x-stream-offset"]);
        reader.ack(message);
      };
      await reader.consume(queue, took, { arguments: { "x-stream-offset": offset } });
      const expected = numbered(10).map(Number).slice(offset === "first" ? 0 : offset);
      await eventually(() => found.length === expected.length);
      equal(found, expected);
      await reader.close();
    }
  });
}

await run("amqplib", {
  confirmed_messages_arrive_in_order: confirmedMessagesArriveInOrder,
  what_no_queue_takes_comes_back: whatNoQueueTakesComesBack,
  a_full_queue_refuses_with_a_nack: aFullQueueRefusesWithANack,
  a_rejected_message_is_a_dead_letter: aRejectedMessageIsADeadLetter,
  calls_are_answered_by_direct_reply_to: callsAreAnsweredByDirectReplyTo,
  a_deleted_queue_cancels_its_consumer: aDeletedQueueCancelsItsConsumer,
  an_error_ends_its_channel_alone: anErrorEndsItsChannelAlone,
  a_stream_is_read_from_its_beginning: aStreamIsReadFromItsBeginning,
});
