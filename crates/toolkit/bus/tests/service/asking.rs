//! Requests and their replies, and messages for later.

use std::{sync::Arc, time::Duration};

use stele_toolkit_bus::{
    AskError, Client, ClientName, Clock, Destination, Event, Failure, Meta, Outbox, Sequences,
    State,
};

use crate::world::{Calls, InventoryReserved, OrderCreated, World};

const SECOND: Duration = Duration::from_secs(1);

async fn client(world: &World) -> Client {
    let name = ClientName {
        name: "web".to_owned(),
        instance: "1".to_owned(),
    };
    let transport = Arc::new(world.broker.transport());
    let clock = Arc::new(world.clock.clone());
    let connected = Client::connect_with(name, transport, clock, Arc::clone(&world.ids));
    connected.await.expect("connected")
}

/// Replies after as many seconds as the quantity says.
async fn reply(Event(order): Event<OrderCreated>, out: Outbox, clock: Arc<dyn Clock>) {
    let seconds = u32::try_from(order.quantity).expect("some seconds");
    clock.sleep(seconds * SECOND).await;
    out.reply(&InventoryReserved {
        order_id: order.order_id,
    });
}

fn order(quantity: i64) -> OrderCreated {
    OrderCreated {
        order_id: format!("order-{quantity}"),
        quantity,
    }
}

#[tokio::test]
async fn each_request_gets_its_own_reply() {
    let world = World::new();
    let running = world.start(world.service().on(reply)).await;
    let client = client(&world).await;
    let requests = [order(3), order(1), order(2)];
    let asking = requests.iter().map(|request| {
        let client = client.clone();
        async move { client.ask::<InventoryReserved>(request, 10 * SECOND).await }
    });
    let [a, b, c] = &mut asking.map(Box::pin).collect::<Vec<_>>()[..] else {
        unreachable!("three requests");
    };
    let replies = async { tokio::join!(a, b, c) };
    let (replies, ()) = tokio::join!(replies, world.clock.advance(10 * SECOND));
    for (reply, request) in [replies.0, replies.1, replies.2].iter().zip(&requests) {
        let reply = reply.as_ref().expect("a reply");
        assert_eq!(reply.order_id, request.order_id);
    }
    assert_eq!(client.late_replies(), 0);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_reply_that_comes_too_late_is_counted() {
    let world = World::new();
    let service = world.service().on_queue("inventory.requests", reply);
    let running = world.start(service).await;
    let client = client(&world).await;
    let request = order(5);
    let to = Destination::Queue("inventory.requests".to_owned());
    let asking = client.ask_at::<InventoryReserved>(to, &request, 2 * SECOND);
    let start = world.clock.now();
    let asking = async {
        let reply = asking.await;
        (reply, world.clock.now().since(start))
    };
    let ((reply, took), ()) = tokio::join!(asking, world.clock.advance(10 * SECOND));
    assert!(matches!(reply, Err(AskError::Timeout(_))), "{reply:?}");
    assert_eq!(took, 2 * SECOND);
    assert_eq!(client.late_replies(), 1);
    assert_eq!(world.broker.queue("web.replies.1"), []);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_reply_of_another_type_is_told() {
    let world = World::new();
    let running = world.start(world.service().on(reply)).await;
    let client = client(&world).await;
    let request = order(1);
    let asking = client.ask::<OrderCreated>(&request, 10 * SECOND);
    let (reply, ()) = tokio::join!(asking, world.clock.advance(10 * SECOND));
    let Err(AskError::Reply(error)) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(error.found, "InventoryReserved");
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_handler_asks_with_the_client_of_its_service() {
    async fn relay(
        Event(event): Event<InventoryReserved>,
        client: Client,
        State(calls): State<Calls>,
    ) -> Result<(), Failure> {
        let request = OrderCreated {
            order_id: event.order_id,
            quantity: 1,
        };
        let reply: InventoryReserved = client.ask(&request, 10 * SECOND).await?;
        assert_eq!(reply.order_id, "order-7");
        calls.next();
        Ok(())
    }
    let world = World::new();
    let calls = Calls::default();
    let answering = world.start(world.service().on(reply)).await;
    let service = stele_toolkit_bus::Service::new("relay")
        .clock(Arc::new(world.clock.clone()))
        .on(relay)
        .state(client(&world).await)
        .state(calls.clone());
    let relaying = world.start(service).await;
    let order_id = "order-7".to_owned();
    let id = world.publish(&InventoryReserved { order_id }).await;
    world.clock.run_to_idle().await;
    assert_eq!(calls.count(), 1);
    let request = &world.broker.topic("order.created")[0];
    let request = stele_toolkit_envelope::Envelope::decode(&request.body, 10_000).expect("read");
    assert_eq!(request.metadata.causation_id, Some(id));
    relaying.stop().await.expect("stopped");
    answering.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_message_for_later_comes_later_with_a_store_and_without() {
    async fn later(Event(order): Event<OrderCreated>, out: Outbox) {
        let order_id = order.order_id;
        out.publish_after(60 * SECOND, &InventoryReserved { order_id });
    }
    async fn note(_: Event<InventoryReserved>, State(calls): State<Calls>) {
        calls.next();
    }
    let world = World::new();
    for has_store in [true, false] {
        let calls = Calls::default();
        let service = world.service().on(later).on(note).state(calls.clone());
        let running = match has_store {
            true => world.start(service).await,
            false => world.start_without_store(service).await,
        };
        world.order("order-1", 1).await;
        world.clock.advance(59 * SECOND).await;
        assert_eq!(calls.count(), 0);
        world.clock.advance(SECOND).await;
        assert_eq!(calls.count(), 1);
        running.stop().await.expect("stopped");
    }
}

#[tokio::test]
async fn numbered_messages_show_what_is_missing() {
    async fn number(Event(order): Event<OrderCreated>, out: Outbox) {
        let number = u64::try_from(order.quantity).expect("a number");
        out.publish_numbered(
            number,
            &InventoryReserved {
                order_id: order.order_id,
            },
        );
    }
    type Seen = std::sync::Mutex<Sequences>;
    async fn look(_: Event<InventoryReserved>, meta: Meta, State(seen): State<Arc<Seen>>) {
        let number = meta.metadata.sequence.expect("it is numbered");
        let mut seen = seen.lock().expect("no panic");
        seen.arrive(&meta.source, &meta.key, number);
    }
    let world = World::new();
    let seen = Arc::new(Seen::new(Sequences::new(10)));
    let service = world.service().on(number).on(look).state(Arc::clone(&seen));
    let running = world.start(service).await;
    for quantity in [1, 2, 5, 3] {
        world.order("order-1", quantity).await;
        world.clock.run_to_idle().await;
    }
    let seen = seen
        .lock()
        .expect("no panic")
        .missing("inventory", "order-1");
    assert_eq!(seen, [4]);
    running.stop().await.expect("stopped");
}
