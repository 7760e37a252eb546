//! What handlers take.

use std::sync::{Arc, Mutex};

use stele_toolkit_bus::{
    Attempt, Call, Clock, Destination, Event, Failure, FromMessage, Meta, Outbox, Outgoing, Raw,
    Refusal, Slot, State, memory::MemoryTx,
};

use crate::world::{Calls, InventoryReserved, OrderCreated, World};

#[tokio::test]
async fn a_handler_takes_eight_arguments() {
    #[expect(clippy::too_many_arguments, reason = "that is what is tested")]
    async fn all(
        Event(order): Event<OrderCreated>,
        meta: Meta,
        Attempt(attempt): Attempt,
        State(calls): State<Calls>,
        mut tx: MemoryTx,
        out: Outbox,
        clock: Arc<dyn Clock>,
        Raw(raw): Raw,
    ) -> Result<(), Failure> {
        assert_eq!(attempt, 1);
        assert_eq!(meta.message_type, "OrderCreated");
        assert_eq!(meta.source, "test");
        assert_eq!(meta.key, order.order_id);
        assert_eq!(meta.correlation_id, meta.message_id);
        assert_eq!(raw.message.message_id, Some(meta.message_id));
        assert_eq!(raw.origin, meta.origin);
        assert!(meta.timestamp <= clock.now());
        tx.add(&order.order_id, 1);
        out.publish(&InventoryReserved {
            order_id: order.order_id,
        });
        calls.next();
        Ok(())
    }
    let world = World::new();
    let calls = Calls::default();
    let running = world
        .start(world.service().on(all).state(calls.clone()))
        .await;
    world.order("order-1", 1).await;
    world.clock.run_to_idle().await;
    assert_eq!(world.reasons(), [""; 0]);
    assert_eq!(calls.count(), 1);
    assert_eq!(world.number("order-1"), 1);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_type_is_known_by_its_aliases_too() {
    async fn count(_: Event<OrderCreated>, State(calls): State<Calls>) {
        calls.next();
    }
    let world = World::new();
    let calls = Calls::default();
    let running = world
        .start(world.service().on(count).state(calls.clone()))
        .await;
    let order = OrderCreated {
        order_id: "1".to_owned(),
        quantity: 1,
    };
    let mut envelope = world.envelope(&order);
    envelope.message_type = "OrderPlaced".to_owned();
    let to = Destination::Topic("order.created".to_owned());
    world
        .send(Outgoing::json(to, "id", envelope.encode()))
        .await;
    world.clock.run_to_idle().await;
    assert_eq!(calls.count(), 1);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn raw_handlers_take_what_is_no_envelope() {
    type Bodies = Mutex<Vec<Vec<u8>>>;
    async fn keep(Raw(raw): Raw, State(bodies): State<Bodies>) {
        assert!(raw.envelope.is_none());
        let body = raw.message.body.to_vec();
        bodies.lock().expect("no panic").push(body);
    }
    async fn count(_: Event<OrderCreated>) {}
    let world = World::new();
    let bodies = Arc::new(Bodies::default());
    let queue = Destination::Queue("foreign".to_owned());
    let topic = Destination::Topic("sensors".to_owned());
    let shared = Arc::clone(&bodies);
    let service = world
        .service()
        .on(count)
        .on_raw(queue.clone(), move |raw: Raw, _: Attempt| {
            keep(raw, State(Arc::clone(&shared)))
        })
        .on_raw(topic.clone(), |_: Raw| async {
            Err::<(), _>(Failure::reject("no"))
        })
        .on_raw(Destination::Queue("other".to_owned()), keep)
        .state(Bodies::default());
    let running = world.start(service).await;
    world
        .send(Outgoing::json(queue, "1", &b"\xff\x00"[..]))
        .await;
    world.send(Outgoing::json(topic, "2", "21.5")).await;
    world.clock.run_to_idle().await;
    assert_eq!(*bodies.lock().expect("no panic"), [b"\xff\x00"]);
    assert_eq!(world.reasons(), ["rejected"]);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn commands_come_from_their_queue() {
    async fn count(_: Event<OrderCreated>, State(calls): State<Calls>) {
        calls.next();
    }
    async fn command(_: Event<InventoryReserved>, out: Outbox) {
        out.send(
            "inventory.commands",
            &OrderCreated {
                order_id: "1".to_owned(),
                quantity: 1,
            },
        );
    }
    let world = World::new();
    let calls = Calls::default();
    let service = world
        .service()
        .on_queue("inventory.commands", count)
        .on(command)
        .state(calls.clone());
    let running = world.start(service).await;
    world.order("not a command", 1).await;
    let order_id = "order-1".to_owned();
    world.publish(&InventoryReserved { order_id }).await;
    world.clock.run_to_idle().await;
    assert_eq!(calls.count(), 1);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn types_of_others_can_be_arguments() {
    struct Length(usize);
    impl FromMessage for Length {
        fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal> {
            assert!(call.lent::<Slot<u8>>().is_none());
            let received = &call.received()[0];
            Ok(Self(received.message.body.len()))
        }
    }
    async fn measure(_: Event<OrderCreated>, Length(length): Length, mut tx: MemoryTx) {
        tx.add("length", i64::try_from(length).expect("a length"));
    }
    let world = World::new();
    let running = world.start(world.service().on(measure)).await;
    world.order("order-1", 1).await;
    world.clock.run_to_idle().await;
    assert!(world.number("length") > 100);
    running.stop().await.expect("stopped");
}
