package stele.clients.kafka;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A reader of one group: {@code Reader ADDRESS TOPIC GROUP COUNT}. Prints {@code begun} with its first records,
 * continues after reading a line, and prints how many records it has seen at the end.
 */
public final class Reader {
    private static final long IDLE_MS = 20_000;

    private Reader() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", arguments[0],
                "group.id", arguments[2],
                "auto.offset.reset", "earliest",
                "fetch.max.bytes", 100_000,
                "max.partition.fetch.bytes", 100_000);
        int count = Integer.parseInt(arguments[3]);
        Set<Long> seen = new HashSet<>();
        var deserializer = new ByteArrayDeserializer();
        try (var consumer = new KafkaConsumer<>(settings, deserializer, deserializer)) {
            consumer.subscribe(List.of(arguments[1]));
            long progress = System.currentTimeMillis();
            while (seen.size() < count && System.currentTimeMillis() - progress < IDLE_MS) {
                boolean isFirst = seen.isEmpty();
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    seen.add(record.offset());
                    progress = System.currentTimeMillis();
                }
                if (isFirst && !seen.isEmpty()) {
                    System.out.println("begun");
                    System.in.read();
                    progress = System.currentTimeMillis();
                }
            }
            System.out.println(seen.size());
        }
    }
}
