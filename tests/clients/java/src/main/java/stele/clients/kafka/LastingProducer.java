package stele.clients.kafka;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * A producer that runs as long as there is input: {@code LastingProducer TOPIC}. Sends each line and
 * prints the acknowledged offset; at the end prints the contents of the topic.
 */
public final class LastingProducer {
    private LastingProducer() {
    }

    public static void main(String[] arguments) throws Exception {
        String topic = arguments[0];
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        long end = 0;
        try (var producer = KafkaSession.producer("delivery.timeout.ms", "20000", "request.timeout.ms", "10000",
                "reconnect.backoff.max.ms", "200")) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                long offset = producer.send(new ProducerRecord<>(topic, line)).get().offset();
                System.out.println(offset);
                end = offset + 1;
            }
        }
        try (var reader = KafkaSession.reader(topic, 0)) {
            KafkaSession.values(KafkaSession.poll(reader, (int) end)).forEach(System.out::println);
        }
    }
}
