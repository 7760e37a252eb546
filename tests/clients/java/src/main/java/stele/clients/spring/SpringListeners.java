package stele.clients.spring;

import static stele.clients.Checks.equal;
import static stele.clients.Checks.eventually;
import static stele.clients.Checks.unique;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

import org.aopalliance.aop.Advice;
import org.springframework.amqp.AmqpRejectAndDontRequeueException;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.MessageListener;
import org.springframework.amqp.core.QueueBuilder;
import org.springframework.amqp.rabbit.config.RetryInterceptorBuilder;
import org.springframework.amqp.rabbit.listener.SimpleMessageListenerContainer;
import org.springframework.amqp.rabbit.retry.MessageRecoverer;
import org.springframework.amqp.rabbit.retry.RejectAndDontRequeueRecoverer;
import org.springframework.amqp.rabbit.retry.RepublishMessageRecoverer;
import stele.clients.Checks;

/** Spring's listeners: retries, and what becomes of a message that keeps failing. */
public final class SpringListeners {
    private SpringListeners() {
    }

    public static void register(Checks checks) {
        checks.add("a_message_that_keeps_failing_becomes_a_dead_letter", SpringListeners::keepsFailing);
        checks.add("a_message_that_keeps_failing_is_republished_with_its_error", SpringListeners::republished);
        checks.add("a_failed_message_waits_in_another_queue_and_comes_back", SpringListeners::waits);
        checks.add("a_quorum_queue_ends_what_a_listener_returns_again_and_again", SpringListeners::returned);
        checks.add("several_consumers_share_a_queue_in_batches", SpringListeners::batches);
    }

    private static Advice retries(MessageRecoverer recoverer) {
        return RetryInterceptorBuilder.stateless().maxRetries(2).backOffOptions(20, 1.0, 20).recoverer(recoverer)
                .build();
    }

    private static void failing(SimpleMessageListenerContainer container, AtomicInteger tries) {
        container.setMessageListener((MessageListener) message -> {
            tries.incrementAndGet();
            throw new IllegalStateException("can't");
        });
        container.start();
    }

    private static Map<String, ?> death(Message message) {
        return Objects.requireNonNull(message.getMessageProperties().getXDeathHeader()).get(0);
    }

    private static void keepsFailing() throws Exception {
        try (SpringSession session = new SpringSession()) {
            String dead = session.declare("dead");
            String work = session.declare(
                    QueueBuilder.durable(unique("work")).deadLetterExchange("").deadLetterRoutingKey(dead));
            AtomicInteger tries = new AtomicInteger();
            SimpleMessageListenerContainer container = session.container(work);
            container.setAdviceChain(retries(new RejectAndDontRequeueRecoverer()));
            failing(container, tries);
            session.template.convertAndSend(work, "order");
            Message letter = session.template.receive(dead);
            equal(new String(letter.getBody()), "order");
            equal(tries.get(), 3);
            equal(List.of(death(letter).get("queue"), death(letter).get("reason"), death(letter).get("count")),
                    List.of(work, "rejected", 1L));
        }
    }

    private static void republished() throws Exception {
        try (SpringSession session = new SpringSession()) {
            String errors = session.declare("errors");
            String work = session.declare("work");
            SimpleMessageListenerContainer container = session.container(work);
            container.setAdviceChain(retries(
                    new RepublishMessageRecoverer(session.template, "", errors).includeStackTrace(true)));
            failing(container, new AtomicInteger());
            session.template.convertAndSend(work, "order");
            Map<String, Object> headers = session.template.receive(errors).getMessageProperties().getHeaders();
            equal(headers.get(RepublishMessageRecoverer.X_ORIGINAL_ROUTING_KEY), work);
            String trace = headers.get(RepublishMessageRecoverer.X_EXCEPTION_STACKTRACE).toString();
            Checks.holds(trace.contains("IllegalStateException: can't"), trace);
            equal(session.ready(work), 0L);
        }
    }

    private static void waits() throws Exception {
        try (SpringSession session = new SpringSession()) {
            String work = unique("work");
            String waiting = session.declare(QueueBuilder.durable(unique("waiting")).ttl(100)
                    .deadLetterExchange("").deadLetterRoutingKey(work));
            session.declare(QueueBuilder.durable(work).deadLetterExchange("").deadLetterRoutingKey(waiting));
            List<Long> counts = new CopyOnWriteArrayList<>();
            SimpleMessageListenerContainer container = session.container(work);
            container.setMessageListener((MessageListener) message -> {
                List<Map<String, ?>> deaths = message.getMessageProperties().getXDeathHeader();
                long died = deaths == null ? 0 : (Long) deaths.get(0).get("count");
                counts.add(died);
                if (died < 3) {
                    throw new AmqpRejectAndDontRequeueException("later");
                }
            });
            container.start();
            session.template.convertAndSend(work, "order");
            eventually("four tries", () -> counts.size() == 4);
            equal(counts, List.of(0L, 1L, 2L, 3L));
        }
    }

    private static void returned() throws Exception {
        try (SpringSession session = new SpringSession()) {
            String dead = session.declare("dead");
            String work = session.declare(QueueBuilder.durable(unique("work")).quorum().deliveryLimit(2)
                    .deadLetterExchange("").deadLetterRoutingKey(dead));
            AtomicInteger tries = new AtomicInteger();
            SimpleMessageListenerContainer container = session.container(work);
            failing(container, tries);
            session.template.convertAndSend(work, "order");
            equal(death(session.template.receive(dead)).get("reason"), "delivery_limit");
            equal(tries.get(), 3);
        }
    }

    private static void batches() throws Exception {
        try (SpringSession session = new SpringSession()) {
            String work = session.declare("work");
            List<String> took = new CopyOnWriteArrayList<>();
            SimpleMessageListenerContainer container = session.container(work);
            container.setConcurrentConsumers(3);
            container.setPrefetchCount(10);
            container.setBatchSize(5);
            container.setMessageListener((MessageListener) message -> took.add(new String(message.getBody())));
            container.start();
            for (int number = 0; number < 100; number++) {
                session.template.convertAndSend(work, Integer.toString(number));
            }
            eventually("all taken", () -> took.size() == 100);
            equal(took.stream().distinct().count(), 100L);
        }
    }
}
