package stele.clients.amqp;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.Method;
import com.rabbitmq.client.ShutdownSignalException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import stele.clients.Checks;

/** Connections, queues and refusals for the AMQP checks. */
final class AmqpSession {
    /** The four types of AMQP 0-9-1; the client also knows types that plugins add. */
    static final List<BuiltinExchangeType> KINDS = List.of(BuiltinExchangeType.DIRECT, BuiltinExchangeType.FANOUT,
        BuiltinExchangeType.TOPIC, BuiltinExchangeType.HEADERS);

    /** What a check does with a channel. */
    interface WithChannel {
        void run(Channel channel) throws Exception;
    }

    /** What a check does with a channel and a fresh queue. */
    interface WithQueue {
        void run(Channel channel, String queue) throws Exception;
    }

    private AmqpSession() {
    }

    static Connection connection() throws Exception {
        String[] address = Checks.address("AMQP_ADDRESS", "127.0.0.1:5672").split(":");
        var factory = new ConnectionFactory();
        factory.setHost(address[0]);
        factory.setPort(Integer.parseInt(address[1]));
        factory.setAutomaticRecoveryEnabled(false);
        return factory.newConnection();
    }

    /** A channel in confirm mode on a separate connection. */
    static void channel(WithChannel body) throws Exception {
        try (Connection connection = connection()) {
            Channel channel = connection.createChannel();
            channel.confirmSelect();
            body.run(channel);
        }
    }

    /** A fresh durable queue, deleted at the end. */
    static void queue(WithQueue body) throws Exception {
        String name = Checks.unique("queue");
        channel(channel -> {
            channel.queueDeclare(name, true, false, false, null);
            try {
                body.run(channel, name);
            } finally {
                channel(cleaner -> cleaner.queueDelete(name));
            }
        });
    }

    /** Publishes persistent texts and waits for their confirms. */
    static void publish(Channel channel, String queue, String... texts) throws Exception {
        for (String text : texts) {
            channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, text.getBytes(StandardCharsets.UTF_8));
        }
        channel.waitForConfirmsOrDie(60_000);
    }

    /** Waits for one message with basic.get. */
    static GetResponse get(Channel channel, String queue, boolean settled) throws Exception {
        var found = new AtomicReference<GetResponse>();
        Checks.eventually("a message came", () -> {
            found.set(channel.basicGet(queue, settled));
            return found.get() != null;
        });
        return found.get();
    }

    static String text(GetResponse response) {
        return new String(response.getBody(), StandardCharsets.UTF_8);
    }

    /** The body must fail because the broker closes the channel or connection with that code. */
    static void refused(int code, Checks.Body body) {
        var signal = Checks.raised(ShutdownSignalException.class, body);
        Method reason = signal.getReason();
        if (reason instanceof AMQP.Channel.Close close) {
            Checks.equal(close.getReplyCode(), code);
        } else if (reason instanceof AMQP.Connection.Close close) {
            Checks.equal(close.getReplyCode(), code);
        } else {
            throw new AssertionError("expected a close with the code " + code + ", found " + reason);
        }
    }
}
