//! What becomes of messages that can't be handled.

use std::time::Duration;

use stele_toolkit_bus::{
    Attempt, Destination, Event, Failure, FailureClass, Jitter, Outgoing, Policy, State,
    memory::MemoryTx,
};

use crate::world::{Broken, Calls, OrderCreated, World, header};

const SECOND: Duration = Duration::from_secs(1);

async fn broken(_: Event<OrderCreated>, State(calls): State<Calls>) -> Result<(), Failure> {
    calls.next();
    Err(Broken.into())
}

fn plain() -> Policy {
    Policy::attempts(3).backoff(SECOND..10 * SECOND, Jitter::None)
}

#[tokio::test]
async fn a_message_that_always_fails_is_dead_after_its_attempts() {
    let world = World::new();
    let calls = Calls::default();
    let service = world
        .service()
        .on(broken)
        .state(calls.clone())
        .policy(plain());
    let running = world.start(service).await;
    let start = stele_toolkit_bus::Clock::now(&world.clock);
    let id = world.order("order-1", 3).await;
    let original = world.broker.topic("order.created")[0].clone();
    world.clock.run_to_idle().await;

    assert_eq!(calls.count(), 3);
    world.assert_all_settled();
    let dead = world.dead();
    let [letter] = &dead[..] else {
        panic!("{dead:?}");
    };
    assert_eq!(letter.body, original.body);
    assert_eq!(letter.key, "order-1");
    assert_eq!(letter.content_type, original.content_type);
    let last = start + 3 * SECOND;
    for (name, value) in [
        ("reason", "error"),
        ("error", "out of order"),
        ("handler", "inventory/OrderCreated"),
        ("service", "inventory"),
        ("attempts", "3"),
        ("firstFailedAt", &start.to_string()),
        ("lastFailedAt", &last.to_string()),
        ("origin", "order.created@0"),
        ("host", "test-host"),
        ("codeVersion", "1.2.3"),
        ("messageId", &id),
        ("destination", "topic:order.created"),
    ] {
        assert_eq!(header(letter, name), value, "{name}");
    }
    assert!(header(letter, "errorType").ends_with("::Broken"));
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_message_that_fails_twice_is_handled_by_its_third_attempt() {
    async fn third(
        Event(order): Event<OrderCreated>,
        mut tx: MemoryTx,
        Attempt(attempt): Attempt,
    ) -> Result<(), Failure> {
        tx.add(&order.order_id, order.quantity);
        match attempt {
            3 => Ok(()),
            _ => Err(Broken.into()),
        }
    }
    let world = World::new();
    let running = world.start(world.service().on(third).policy(plain())).await;
    world.order("order-1", 3).await;
    world.clock.run_to_idle().await;
    assert_eq!(world.number("order-1"), 3);
    assert_eq!(world.dead(), []);
    assert_eq!(world.store.put_aside(), 0);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn messages_that_cannot_be_read_are_dead_at_once_with_the_reason() {
    let world = World::new();
    let calls = Calls::default();
    let service = world
        .service()
        .on(broken)
        .state(calls.clone())
        .body_bytes_max(2000);
    let running = world.start(service).await;
    let order = OrderCreated {
        order_id: "1".to_owned(),
        quantity: 1,
    };
    let good = || String::from_utf8(world.envelope(&order).encode()).expect("text");
    let replaced = |from: &str, to: &str| good().replace(from, to);
    let bodies = [
        ("not_json", good()[..100].to_owned()),
        ("missing_field", replaced("\"messageId\"", "\"id\"")),
        ("unknown_type", replaced("OrderCreated", "OrderVanished")),
        ("unknown_version", replaced("\"1.1\"", "\"9.0\"")),
        (
            "invalid_data",
            replaced("\"quantity\":1", "\"quantity\":\"one\""),
        ),
        ("invalid_data", replaced("\"quantity\"", "\"amount\"")),
        (
            "too_large",
            replaced("\"1\"", &format!("\"{}\"", "1".repeat(2000))),
        ),
    ];
    for (index, (_, body)) in bodies.iter().enumerate() {
        let to = Destination::Topic("order.created".to_owned());
        world
            .send(Outgoing::json(to, format!("id-{index}"), body.clone()))
            .await;
    }
    world.clock.run_to_idle().await;
    let mut expected: Vec<&str> = bodies.iter().map(|(reason, _)| *reason).collect();
    let mut reasons = world.reasons();
    expected.sort_unstable();
    reasons.sort();
    assert_eq!(reasons, expected);
    for letter in world.dead() {
        assert_eq!(header(&letter, "attempts"), "1");
    }
    assert_eq!(calls.count(), 0);
    world.assert_all_settled();
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_message_that_is_older_than_the_memory_is_dead_and_not_handled() {
    let world = World::new();
    let calls = Calls::default();
    let running = world
        .start(world.service().on(broken).state(calls.clone()))
        .await;
    let order = OrderCreated {
        order_id: "1".to_owned(),
        quantity: 1,
    };
    let envelope = world.envelope(&order);
    let days = |days: u32| days * 24 * 3600 * SECOND;
    world.clock.advance(days(7) + SECOND).await;
    let to = Destination::Topic("order.created".to_owned());
    let message = Outgoing::json(to, "id", envelope.encode());
    world.send(message).await;
    world.clock.run_to_idle().await;
    assert_eq!(world.reasons(), ["too_old"]);
    assert_eq!(calls.count(), 0);
    world.assert_all_settled();
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_panic_and_a_time_out_are_failures_of_their_class() {
    async fn stuck(Event(order): Event<OrderCreated>) -> Result<(), Failure> {
        match order.order_id.as_str() {
            "panic" => panic!("a bug"),
            _ => std::future::pending().await,
        }
    }
    let world = World::new();
    let service = world.service().on(stuck).policy(plain()).timeout(SECOND);
    let running = world.start(service).await;
    world.order("panic", 1).await;
    world.order("stuck", 1).await;
    world.clock.run_to_idle().await;
    let mut reasons = world.reasons();
    reasons.sort();
    assert_eq!(reasons, ["panic", "timeout"]);
    let dead = world.dead();
    let panic = dead.iter().find(|it| it.key == "panic").expect("a letter");
    assert_eq!(header(panic, "error"), "a bug");
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_transaction_that_a_task_keeps_is_a_failure() {
    async fn keep(Event(order): Event<OrderCreated>, mut tx: MemoryTx, Attempt(attempt): Attempt) {
        tx.add(&order.order_id, order.quantity);
        if attempt == 1 {
            tokio::spawn(async move {
                let _kept = tx;
                std::future::pending::<()>().await;
            });
        }
    }
    let world = World::new();
    let running = world.start(world.service().on(keep).policy(plain())).await;
    world.order("order-1", 3).await;
    world.clock.settle().await;
    assert_eq!(world.store.value("order-1"), None);
    world.clock.run_to_idle().await;
    assert_eq!(world.number("order-1"), 3);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_deferred_message_comes_later_and_counts_no_attempt() {
    async fn defer(
        _: Event<OrderCreated>,
        State(calls): State<Calls>,
        Attempt(attempt): Attempt,
    ) -> Result<(), Failure> {
        assert_eq!(attempt, 1);
        match calls.next() {
            1..=5 => Err(Failure::Defer(60 * SECOND)),
            _ => Ok(()),
        }
    }
    let world = World::new();
    let calls = Calls::default();
    let service = world
        .service()
        .on(defer)
        .state(calls.clone())
        .policy(plain());
    let running = world.start(service).await;
    world.order("order-1", 3).await;
    world.clock.advance(299 * SECOND).await;
    assert_eq!(calls.count(), 5);
    world.clock.run_to_idle().await;
    assert_eq!(calls.count(), 6);
    assert_eq!(world.dead(), []);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn dropped_and_rejected_messages_have_one_attempt() {
    async fn refuse(
        Event(order): Event<OrderCreated>,
        State(calls): State<Calls>,
    ) -> Result<(), Failure> {
        calls.next();
        Err(match order.quantity {
            0 => Failure::Drop,
            1 => Failure::reject("unknown product"),
            _ => Broken.into(),
        })
    }
    let world = World::new();
    let calls = Calls::default();
    let policy = plain().reject_on::<Broken>();
    let service = world
        .service()
        .on(refuse)
        .state(calls.clone())
        .policy(policy);
    let running = world.start(service).await;
    for quantity in 0..3 {
        world.order(&format!("order-{quantity}"), quantity).await;
    }
    world.clock.run_to_idle().await;
    assert_eq!(calls.count(), 3);
    assert_eq!(world.reasons(), ["rejected", "rejected"]);
    world.assert_all_settled();
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn without_dead_letters_a_message_is_dropped_at_the_end() {
    let world = World::new();
    let calls = Calls::default();
    let policy = plain().without_dead_letters();
    let service = world
        .service()
        .on(broken)
        .state(calls.clone())
        .policy(policy);
    let running = world.start(service).await;
    world.order("order-1", 1).await;
    world.clock.run_to_idle().await;
    assert_eq!(calls.count(), 3);
    assert_eq!(world.dead(), []);
    assert_eq!(world.store.put_aside(), 0);
    world.assert_all_settled();
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn an_encoding_that_fails_is_permanent() {
    async fn reply(_: Event<OrderCreated>, out: stele_toolkit_bus::Outbox) {
        out.reply(&OrderCreated {
            order_id: "1".to_owned(),
            quantity: 1,
        });
    }
    let world = World::new();
    let running = world.start(world.service().on(reply)).await;
    world.order("order-1", 1).await;
    world.clock.run_to_idle().await;
    assert_eq!(world.reasons(), [FailureClass::Permanent.name()]);
    running.stop().await.expect("stopped");
}
