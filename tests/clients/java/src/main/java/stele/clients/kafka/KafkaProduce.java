package stele.clients.kafka;

import static stele.clients.Checks.equal;
import static stele.clients.Checks.holds;
import static stele.clients.Checks.raised;
import static stele.clients.Checks.unique;
import static stele.clients.kafka.KafkaSession.numbered;
import static stele.clients.kafka.KafkaSession.poll;
import static stele.clients.kafka.KafkaSession.produce;
import static stele.clients.kafka.KafkaSession.producer;
import static stele.clients.kafka.KafkaSession.reader;
import static stele.clients.kafka.KafkaSession.topic;
import static stele.clients.kafka.KafkaSession.values;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import stele.clients.Checks;

/** Producing with the Java client, which is idempotent by default. */
public final class KafkaProduce {
    private KafkaProduce() {
    }

    public static void register(Checks checks) {
        checks.add("the_default_producer_keeps_order_and_dense_offsets", () -> roundTrip(numbered(5000)));
        checks.add("every_compression_passes_through", () -> {
            for (String compression : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
                roundTrip(numbered(1000), "compression.type", compression, "linger.ms", "20");
            }
        });
        checks.add("every_acknowledgement_level_delivers", KafkaProduce::acknowledgementLevels);
        checks.add("one_request_in_flight_and_no_idempotence_deliver_too", () ->
            roundTrip(numbered(300), "enable.idempotence", "false", "max.in.flight.requests.per.connection", "1"));
        checks.add("large_batches_pass", () -> roundTrip(
            IntStream.range(0, 60).mapToObj(number -> number + " " + "x".repeat(50_000)).toList(),
            "batch.size", "900000", "linger.ms", "50"));
        checks.add("keys_headers_nulls_and_timestamps_come_back", KafkaProduce::keysAndHeaders);
        checks.add("the_default_partitioner_spreads_keys_and_keeps_each_in_place", KafkaProduce::partitioner);
        checks.add("a_record_beyond_the_topics_limit_is_refused", () ->
            topic(1, Map.of("max.message.bytes", "10000"), topic -> {
                raised(RecordTooLargeException.class, () -> produce(topic, List.of("x".repeat(20_000))));
                produce(topic, List.of("small"));
            }));
        checks.add("an_illegal_topic_name_is_refused", () ->
            raised(InvalidTopicException.class, () -> produce("no spaces please", List.of("x"))));
        checks.add("a_producer_goes_on_in_a_topic_made_anew", KafkaProduce::topicMadeAnew);
        checks.add("an_unknown_topic_is_made_at_the_first_produce", () -> {
            String topic = unique("auto");
            equal(produce(topic, List.of("first")).get(0).offset(), 0L);
            try (var reader = reader(topic, 0)) {
                equal(values(poll(reader, 1)), List.of("first"));
            }
            KafkaSession.ADMIN.deleteTopics(Set.of(topic)).all().get();
        });
    }

    private static void roundTrip(List<String> texts, String... settings) throws Exception {
        topic(1, topic -> {
            List<RecordMetadata> acknowledged = produce(topic, texts, settings);
            for (int index = 0; index < texts.size(); index++) {
                equal(acknowledged.get(index).offset(), (long) index);
            }
            try (var reader = reader(topic, 0)) {
                equal(values(poll(reader, texts.size())), texts);
            }
        });
    }

    private static void acknowledgementLevels() throws Exception {
        topic(1, topic -> {
            for (String level : List.of("0", "1", "all")) {
                produce(topic, List.of(level), "acks", level, "enable.idempotence", "false");
            }
            try (var reader = reader(topic, 0)) {
                equal(values(poll(reader, 3)), List.of("0", "1", "all"));
            }
        });
    }

    private static void keysAndHeaders() throws Exception {
        // A record is dated years ago: retention by age could remove it at any moment.
        topic(1, Map.of("retention.ms", "-1"), topic -> {
            try (var producer = producer()) {
                var record = new ProducerRecord<>(topic, 0, 1_700_000_000_000L, "key", "value");
                record.headers().add("a", new byte[] {1}).add("a", new byte[] {2}).add("none", null);
                producer.send(record);
                producer.send(new ProducerRecord<>(topic, "tombstone", null));
                producer.send(new ProducerRecord<>(topic, null, ""));
                producer.flush();
            }
            try (var reader = reader(topic, 0)) {
                var found = poll(reader, 3);
                var keys = new ArrayList<String>();
                found.forEach(each -> keys.add(each.key()));
                var expected = new ArrayList<>(List.of("key", "tombstone"));
                expected.add(null);
                equal(keys, expected);
                equal(found.get(0).timestamp(), 1_700_000_000_000L);
                equal(found.get(1).value(), null);
                equal(found.get(2).value(), "");
                var headers = found.get(0).headers().toArray();
                equal(headers.length, 3);
                equal(headers[1].value(), new byte[] {2});
                equal(headers[2].value(), null);
            }
        });
    }

    /** The broker no longer knows the producer, which continues with its sequence numbers. */
    private static void topicMadeAnew() throws Exception {
        topic(1, topic -> {
            try (var producer = producer("delivery.timeout.ms", "30000", "request.timeout.ms", "10000")) {
                for (String value : numbered(5)) {
                    producer.send(new ProducerRecord<>(topic, value)).get();
                }
                KafkaSession.ADMIN.deleteTopics(Set.of(topic)).all().get();
                Checks.eventually("the topic is gone", () -> !KafkaSession.ADMIN.listTopics().names().get().contains(topic));
                KafkaSession.ADMIN.createTopics(Set.of(new NewTopic(topic, 1, (short) 1))).all().get();
                for (String value : numbered(5)) {
                    producer.send(new ProducerRecord<>(topic, value)).get();
                }
            }
            try (var reader = reader(topic, 0)) {
                equal(values(poll(reader, 5)), numbered(5));
            }
        });
    }

    private static void partitioner() throws Exception {
        topic(3, topic -> {
            Map<String, Integer> places = new HashMap<>();
            try (var producer = producer()) {
                for (int number = 0; number < 90; number++) {
                    String key = "key " + number % 15;
                    int partition = producer.send(new ProducerRecord<>(topic, key, "x")).get().partition();
                    Integer before = places.put(key, partition);
                    holds(before == null || before == partition, key + " moved from " + before + " to " + partition);
                }
            }
            equal(new HashSet<>(places.values()), Set.of(0, 1, 2));
        });
    }
}
