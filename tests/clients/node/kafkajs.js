// The KafkaJS suite: `kafkajs.js [part of a claim]`, against KAFKA_ADDRESS.

import { Kafka, logLevel } from "kafkajs";

import { equal, eventually, run, unique } from "./checks.js";

const kafka = new Kafka({
  brokers: [process.env.KAFKA_ADDRESS ?? "127.0.0.1:9092"],
  logLevel: logLevel.NOTHING,
});

const numbered = (prefix) => [0, 1, 2, 3, 4].map((number) => `${prefix} ${number}`);

// Passes a connected client to `use`, and disconnects it at the end.
async function connected(client, use) {
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.disconnect();
  }
}

async function send(producer, topic, values) {
  await producer.send({ topic, messages: values.map((value) => ({ value })) });
}

// The next values that the group gets from a topic; it commits their offsets when it leaves.
function consume(groupId, topic, count) {
  return connected(kafka.consumer({ groupId, maxWaitTimeInMs: 100 }), async (consumer) => {
    const found = [];
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => found.push(message.value.toString()),
    });
    await eventually(() => found.length >= count);
    return found;
  });
}

// KafkaJS makes the broker create a missing topic by requesting its metadata.
async function aGroupGoesOnWhereItStopped() {
  const [topic, group] = [unique("auto"), unique("group")];
  await connected(kafka.producer({ allowAutoTopicCreation: true }), async (producer) => {
    await send(producer, topic, numbered("first"));
    equal(await consume(group, topic, 5), numbered("first"));
    await send(producer, topic, numbered("second"));
    equal(await consume(group, topic, 5), numbered("second"));
  });
  await connected(kafka.admin(), (admin) => admin.deleteTopics({ topics: [topic] }));
}

// The broker no longer knows the producer, which continues with its sequence numbers.
async function topicMadeAnew() {
  const topic = unique("topic");
  const settings = { idempotent: true, maxInFlightRequests: 1 };
  await connected(kafka.admin(), async (admin) => {
    await admin.createTopics({ topics: [{ topic }], waitForLeaders: true });
    await connected(kafka.producer(settings), async (producer) => {
      await send(producer, topic, numbered("first"));
      await admin.deleteTopics({ topics: [topic] });
      await eventually(async () => !(await admin.listTopics()).includes(topic));
      await admin.createTopics({ topics: [{ topic }], waitForLeaders: true });
      await send(producer, topic, numbered("second"));
    });
    const [{ high }] = await admin.fetchTopicOffsets(topic);
    equal(high, "5");
    equal(await consume(unique("group"), topic, 5), numbered("second"));
    await admin.deleteTopics({ topics: [topic] });
  });
}

await run("kafkajs", {
  a_group_goes_on_where_it_stopped_in_a_topic_made_at_the_first_produce: aGroupGoesOnWhereItStopped,
  an_idempotent_producer_goes_on_in_a_topic_made_anew: topicMadeAnew,
});
