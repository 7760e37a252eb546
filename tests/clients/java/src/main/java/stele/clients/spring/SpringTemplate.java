package stele.clients.spring;

import static stele.clients.Checks.equal;
import static stele.clients.Checks.eventually;
import static stele.clients.Checks.holds;
import static stele.clients.Checks.raised;
import static stele.clients.Checks.unique;

import java.util.Objects;
import java.util.concurrent.TimeUnit;

import org.springframework.amqp.core.Binding;
import org.springframework.amqp.core.QueueBuilder;
import org.springframework.amqp.core.ReturnedMessage;
import org.springframework.amqp.core.TopicExchange;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.connection.CorrelationData;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.amqp.rabbit.listener.SimpleMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.adapter.MessageListenerAdapter;
import org.springframework.amqp.rabbit.transaction.RabbitTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;
import stele.clients.Checks;

/** Spring's template and admin: confirms, returns, calls, transactions, declarations. */
public final class SpringTemplate {
    private SpringTemplate() {
    }

    public static void register(Checks checks) {
        checks.add("a_publish_is_confirmed_or_returned", SpringTemplate::confirms);
        checks.add("a_full_queue_is_told_by_its_confirm", SpringTemplate::full);
        checks.add("a_call_gets_its_answer_by_direct_reply_to", SpringTemplate::calls);
        checks.add("a_transaction_that_fails_publishes_nothing", SpringTemplate::transactions);
        checks.add("the_admin_declares_counts_purges_and_deletes", SpringTemplate::administration);
    }

    private static void confirms() throws Exception {
        try (SpringSession session = new SpringSession()) {
            String queue = session.declare("confirmed");
            CorrelationData arrives = new CorrelationData();
            session.template.convertAndSend("", queue, "text", arrives);
            holds(arrives.getFuture().get(SpringSession.TIMEOUT_MS, TimeUnit.MILLISECONDS).ack(), arrives);
            equal(session.template.receiveAndConvert(queue), "text");
            CorrelationData lost = new CorrelationData();
            session.template.convertAndSend("", unique("nowhere"), "text", lost);
            holds(lost.getFuture().get(SpringSession.TIMEOUT_MS, TimeUnit.MILLISECONDS).ack(), lost);
            ReturnedMessage returned = Objects.requireNonNull(lost.getReturned());
            equal(returned.getReplyText(), "NO_ROUTE");
        }
    }

    private static void full() throws Exception {
        try (SpringSession session = new SpringSession()) {
            String queue = session.declare(QueueBuilder.durable(unique("full")).maxLength(1)
                    .overflow(QueueBuilder.Overflow.rejectPublish));
            for (boolean fits : new boolean[] {true, false}) {
                CorrelationData told = new CorrelationData();
                session.template.convertAndSend("", queue, "text", told);
                equal(told.getFuture().get(SpringSession.TIMEOUT_MS, TimeUnit.MILLISECONDS).ack(), fits);
            }
        }
    }

    /** What answers calls. */
    public static final class Doubler {
        public int handleMessage(int number) {
            return 2 * number;
        }
    }

    private static void calls() throws Exception {
        try (SpringSession session = new SpringSession()) {
            String queue = session.declare("calls");
            SimpleMessageListenerContainer container = session.container(queue);
            container.setMessageListener(new MessageListenerAdapter(new Doubler()));
            container.start();
            for (int number = 0; number < 10; number++) {
                equal(session.template.convertSendAndReceive(queue, number), 2 * number);
            }
        }
    }

    private static void transactions() throws Exception {
        try (SpringSession session = new SpringSession()) {
            String queue = session.declare("transacted");
            // A channel has either confirms or transactions.
            CachingConnectionFactory plain = new CachingConnectionFactory();
            plain.setAddresses(Checks.address("AMQP_ADDRESS", "127.0.0.1:5672"));
            RabbitTemplate template = new RabbitTemplate(plain);
            template.setChannelTransacted(true);
            TransactionTemplate transaction = new TransactionTemplate(new RabbitTransactionManager(plain));
            raised(IllegalStateException.class, () -> transaction.executeWithoutResult(status -> {
                template.convertAndSend(queue, "never");
                throw new IllegalStateException("rolled back");
            }));
            transaction.executeWithoutResult(status -> template.convertAndSend(queue, "committed"));
            equal(session.template.receiveAndConvert(queue), "committed");
            equal(session.ready(queue), 0L);
            plain.destroy();
        }
    }

    private static void administration() throws Exception {
        try (SpringSession session = new SpringSession()) {
            String queue = session.declare("declared");
            TopicExchange exchange = new TopicExchange(unique("topic"));
            session.admin.declareExchange(exchange);
            Binding binding = new Binding(queue, Binding.DestinationType.QUEUE, exchange.getName(), "a.*", null);
            session.admin.declareBinding(binding);
            session.template.convertAndSend(exchange.getName(), "a.b", "text");
            eventually("it is counted", () -> session.ready(queue) == 1);
            equal(session.admin.purgeQueue(queue), 1);
            session.admin.removeBinding(binding);
            session.admin.deleteExchange(exchange.getName());
            equal(session.admin.getQueueInfo(unique("missing")), null);
        }
    }
}
