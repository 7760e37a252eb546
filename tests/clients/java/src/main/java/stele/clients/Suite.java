package stele.clients;

import stele.clients.amqp.AmqpConsume;
import stele.clients.amqp.AmqpPublish;
import stele.clients.amqp.AmqpQueues;
import stele.clients.kafka.KafkaAdministration;
import stele.clients.kafka.KafkaConsume;
import stele.clients.kafka.KafkaGroups;
import stele.clients.kafka.KafkaInspection;
import stele.clients.kafka.KafkaProduce;
import stele.clients.spring.SpringListeners;
import stele.clients.spring.SpringTemplate;

/** Runs one suite: {@code Suite kafka|amqp|spring [part of a claim]}, against KAFKA_ADDRESS or AMQP_ADDRESS. */
public final class Suite {
    private Suite() {
    }

    public static void main(String[] arguments) {
        String wanted = arguments.length > 1 ? arguments[1] : "";
        Checks checks;
        if (arguments.length > 0 && arguments[0].equals("kafka")) {
            checks = new Checks("kafka-clients");
            KafkaProduce.register(checks);
            KafkaConsume.register(checks);
            KafkaGroups.register(checks);
            KafkaAdministration.register(checks);
            KafkaInspection.register(checks);
        } else if (arguments.length > 0 && arguments[0].equals("amqp")) {
            checks = new Checks("amqp-client");
            AmqpQueues.register(checks);
            AmqpPublish.register(checks);
            AmqpConsume.register(checks);
        } else if (arguments.length > 0 && arguments[0].equals("spring")) {
            checks = new Checks("spring-amqp");
            SpringTemplate.register(checks);
            SpringListeners.register(checks);
        } else {
            System.err.println("usage: Suite kafka|amqp|spring [part of a claim]");
            System.exit(2);
            return;
        }
        System.exit(checks.run(wanted) ? 0 : 1);
    }
}
