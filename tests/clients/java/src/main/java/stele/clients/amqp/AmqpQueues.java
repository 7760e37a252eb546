package stele.clients.amqp;

import static stele.clients.Checks.equal;
import static stele.clients.Checks.holds;
import static stele.clients.Checks.unique;
import static stele.clients.amqp.AmqpSession.channel;
import static stele.clients.amqp.AmqpSession.connection;
import static stele.clients.amqp.AmqpSession.publish;
import static stele.clients.amqp.AmqpSession.queue;
import static stele.clients.amqp.AmqpSession.refused;

import stele.clients.Checks;

/** Declaring queues and exchanges. */
public final class AmqpQueues {
    private AmqpQueues() {
    }

    public static void register(Checks checks) {
        checks.add("a_server_named_queue_is_exclusive_and_goes_with_its_connection", () -> {
            String name;
            try (var owner = connection(); var other = connection()) {
                name = owner.createChannel().queueDeclare().getQueue();
                holds(name.startsWith("amq.gen-"), name);
                refused(405, () -> other.createChannel().queueDeclarePassive(name));
            }
            Checks.eventually("the queue is gone", () -> {
                try (var later = connection()) {
                    refused(404, () -> later.createChannel().queueDeclarePassive(name));
                    return true;
                } catch (AssertionError stillThere) {
                    return false;
                }
            });
        });
        checks.add("an_auto_delete_queue_goes_with_its_last_consumer", () -> channel(channel -> {
            String name = unique("auto-delete");
            channel.queueDeclare(name, false, false, true, null);
            String tag = channel.basicConsume(name, (consumer, delivery) -> { }, consumer -> { });
            equal(channel.queueDeclarePassive(name).getConsumerCount(), 1);
            channel.basicCancel(tag);
            refused(404, () -> channel.queueDeclarePassive(name));
        }));
        checks.add("passive_declarations_tell_404_and_counts", () -> queue((channel, name) -> {
            publish(channel, name, "1", "2");
            equal(channel.queueDeclarePassive(name).getMessageCount(), 2);
            equal(channel.messageCount(name), 2L);
            equal(channel.consumerCount(name), 0L);
            refused(404, () -> channel.queueDeclarePassive(unique("absent")));
        }));
        checks.add("a_contradicting_declaration_is_406", () -> queue((channel, name) ->
            refused(406, () -> channel.queueDeclare(name, false, false, false, null))));
        checks.add("deleting_and_purging_count", () -> queue((channel, name) -> {
            publish(channel, name, "1", "2", "3");
            equal(channel.queuePurge(name).getMessageCount(), 3);
            publish(channel, name, "4");
            equal(channel.queueDelete(name).getMessageCount(), 1);
        }));
        checks.add("every_kind_of_exchange_is_declared_and_deleted", () -> channel(channel -> {
            for (var kind : AmqpSession.KINDS) {
                String name = unique(kind.getType());
                channel.exchangeDeclare(name, kind, true, false, null);
                channel.exchangeDeclarePassive(name);
                channel.exchangeDelete(name);
            }
            refused(404, () -> channel.exchangeDeclarePassive(unique("absent")));
        }));
        checks.add("a_reserved_name_is_403", () -> channel(channel ->
            refused(403, () -> channel.queueDeclare("amq.mine", false, false, false, null))));
    }
}
