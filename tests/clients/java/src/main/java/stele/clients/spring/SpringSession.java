package stele.clients.spring;

import static stele.clients.Checks.address;

import java.util.ArrayList;
import java.util.List;

import org.springframework.amqp.core.AmqpAdmin;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.core.QueueBuilder;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory.ConfirmType;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.amqp.rabbit.listener.SimpleMessageListenerContainer;
import stele.clients.Checks;

/** Connections, queues and listeners for the Spring checks. Closing it ends them and deletes the queues. */
final class SpringSession implements AutoCloseable {
    static final long TIMEOUT_MS = 30_000;

    final CachingConnectionFactory connections;
    final RabbitTemplate template;
    final AmqpAdmin admin;
    private final List<SimpleMessageListenerContainer> containers = new ArrayList<>();
    private final List<String> queues = new ArrayList<>();

    SpringSession() {
        connections = new CachingConnectionFactory();
        connections.setAddresses(address("AMQP_ADDRESS", "127.0.0.1:5672"));
        connections.setPublisherConfirmType(ConfirmType.CORRELATED);
        connections.setPublisherReturns(true);
        template = new RabbitTemplate(connections);
        template.setMandatory(true);
        template.setReceiveTimeout(TIMEOUT_MS);
        template.setReplyTimeout(TIMEOUT_MS);
        admin = new RabbitAdmin(connections);
    }

    /** Declares a queue; returns its name. */
    String declare(QueueBuilder builder) {
        Queue queue = builder.build();
        queues.add(queue.getName());
        return admin.declareQueue(queue);
    }

    /** A durable queue with a name of its own. */
    String declare(String prefix) {
        return declare(QueueBuilder.durable(Checks.unique(prefix)));
    }

    /** A listener that isn't started yet. */
    SimpleMessageListenerContainer container(String queue) {
        SimpleMessageListenerContainer container = new SimpleMessageListenerContainer(connections);
        container.setQueueNames(queue);
        containers.add(container);
        return container;
    }

    long ready(String queue) {
        return admin.getQueueInfo(queue).getMessageCount();
    }

    @Override
    public void close() {
        containers.forEach(SimpleMessageListenerContainer::stop);
        queues.forEach(admin::deleteQueue);
        template.stop();
        connections.destroy();
    }
}
