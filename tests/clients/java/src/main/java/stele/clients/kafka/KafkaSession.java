package stele.clients.kafka;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import stele.clients.Checks;

/** Clients and topics for the Kafka checks. */
final class KafkaSession {
    static final String ADDRESS = Checks.address("KAFKA_ADDRESS", "127.0.0.1:9092");
    static final Admin ADMIN = Admin.create(properties());

    /** What a check does with a fresh topic. */
    interface WithTopic {
        void run(String topic) throws Exception;
    }

    private KafkaSession() {
    }

    /** The minimal configuration of a client, plus alternating names and values. */
    static Properties properties(String... settings) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", ADDRESS);
        for (int index = 0; index < settings.length; index += 2) {
            properties.put(settings[index], settings[index + 1]);
        }
        return properties;
    }

    static void topic(int partitions, WithTopic body) throws Exception {
        topic(partitions, Map.of(), body);
    }

    /** A fresh topic, deleted at the end. */
    static void topic(int partitions, Map<String, String> config, WithTopic body) throws Exception {
        String name = Checks.unique("topic");
        ADMIN.createTopics(Set.of(new NewTopic(name, partitions, (short) 1).configs(config))).all().get();
        Checks.eventually("the topic is known", () ->
            ADMIN.listTopics().names().get().contains(name)
                && ADMIN.describeTopics(Set.of(name)).allTopicNames().get().get(name).partitions().size() == partitions);
        try {
            body.run(name);
        } finally {
            ADMIN.deleteTopics(Set.of(name)).all().get();
        }
    }

    static KafkaProducer<String, String> producer(String... settings) {
        return new KafkaProducer<>(properties(settings), new StringSerializer(), new StringSerializer());
    }

    /** A consumer that starts at the beginning, without automatic commits. */
    static KafkaConsumer<String, String> consumer(String group, String... settings) {
        Properties properties = properties("group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit",
            "false", "session.timeout.ms", "15000", "heartbeat.interval.ms", "200", "fetch.max.wait.ms", "200");
        properties.putAll(properties(settings));
        return new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
    }

    /** A consumer without a group, positioned at the start of the partitions. */
    static KafkaConsumer<String, String> reader(String topic, Integer... partitions) {
        Properties properties = properties("auto.offset.reset", "earliest", "enable.auto.commit", "false");
        var reader = new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
        reader.assign(List.of(partitions).stream().map(partition -> new TopicPartition(topic, partition)).toList());
        reader.seekToBeginning(reader.assignment());
        return reader;
    }

    /** Produces values without a key and returns the metadata of each, all acknowledged. */
    static List<RecordMetadata> produce(String topic, List<String> values, String... settings) throws Exception {
        try (var producer = producer(settings)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (String value : values) {
                sent.add(producer.send(new ProducerRecord<>(topic, value)));
            }
            List<RecordMetadata> acknowledged = new ArrayList<>();
            for (Future<RecordMetadata> each : sent) {
                acknowledged.add(each.get());
            }
            return acknowledged;
        }
    }

    /** Polls until that many records have arrived. */
    static List<ConsumerRecord<String, String>> poll(KafkaConsumer<String, String> consumer, int count) throws Exception {
        List<ConsumerRecord<String, String>> found = new ArrayList<>();
        Checks.eventually(count + " records came", () -> {
            consumer.poll(Duration.ofMillis(100)).forEach(found::add);
            return found.size() >= count;
        });
        return found;
    }

    static List<String> values(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).toList();
    }

    static List<String> numbered(int count) {
        return IntStream.range(0, count).mapToObj(number -> "value " + number).toList();
    }
}
