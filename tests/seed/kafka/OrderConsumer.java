import java.time.Duration;
import java.util.Arrays;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;

/** The consumer of the seed notes, unchanged between the two rules. */
final class OrderConsumer {
    /** The notes omit the deserializers, without which the client does not start. */
    private static final class Properties extends java.util.Properties {
        private static final long serialVersionUID = 1L;

        Properties() {
            put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
            put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        }
    }

    private static void processOrder(String order) {
        System.out.println(order);
        System.out.flush();
    }

    public static void main(String[] arguments) {
        // --------------------------------------------------------------------------------------
        Properties props = new Properties();
        props.put("bootstrap.servers", "localhost:9092");
        props.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        props.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");

        // Kafka Consumer Example
        props.put("group.id", "order-processor");
        Consumer<String, String> consumer = new KafkaConsumer<>(props);
        consumer.subscribe(Arrays.asList("orders"));

        while (true) {
            ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(100));
            for (ConsumerRecord<String, String> record : records) {
                processOrder(record.value());
            }
        }
        // --------------------------------------------------------------------------------------
    }
}
