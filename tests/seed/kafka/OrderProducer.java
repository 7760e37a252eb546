import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;

/** The producer of the seed notes, unchanged between the two rules. */
final class OrderProducer {
    public static void main(String[] arguments) {
        String orderJson = arguments[0];
        // --------------------------------------------------------------------------------------
        // Kafka Producer Example
        Properties props = new Properties();
        props.put("bootstrap.servers", "localhost:9092");
        props.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        props.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");

        Producer<String, String> producer = new KafkaProducer<>(props);
        producer.send(new ProducerRecord<>("orders", "order-123", orderJson));
        // --------------------------------------------------------------------------------------
        // The program in the notes keeps running; this one ends, and must send its records first.
        producer.close();
    }
}
