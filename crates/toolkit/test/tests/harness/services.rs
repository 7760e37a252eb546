//! Services on a store in memory.

use std::time::Duration;

use stele_toolkit_bus::{Attempt, Breaker, Event, Failure, Jitter, Policy, Service};
use stele_toolkit_test::{Fault, Harness};

use crate::{
    CRASHES,
    messages::{InventoryReserved, OrderCreated, reserve},
};

const HOUR: Duration = Duration::from_secs(3600);

fn inventory() -> Service {
    Service::new("inventory").on(reserve)
}

#[tokio::test]
async fn what_a_service_publishes_and_buries_is_seen() {
    let harness = Harness::new();
    let store = harness.start(inventory).await;
    let id = harness.publish(&OrderCreated::of("o-1")).await;
    harness.publish(&OrderCreated::of("")).await;
    harness.run_to_idle().await;
    harness.then_published([InventoryReserved::of("o-1")]);
    harness.then_dead("inventory", [("OrderCreated", "rejected")]);
    assert_eq!(
        harness.dead("inventory")[0].error,
        "an order without a number"
    );
    assert_eq!(harness.attempts("inventory", &id), 1);
    assert_eq!(store.value("orders").as_deref(), Some("1"));
}

#[tokio::test]
#[should_panic(expected = "-     \"order\": \"o-2\"")]
async fn a_message_that_was_not_published_is_shown() {
    let harness = Harness::new();
    harness.start(inventory).await;
    harness.publish(&OrderCreated::of("o-1")).await;
    harness.run_to_idle().await;
    harness.then_published([InventoryReserved::of("o-2")]);
}

#[tokio::test]
#[should_panic(expected = "- OrderCreated: rejected\n  (nothing came)")]
async fn a_dead_letter_that_is_not_there_is_missed() {
    let harness = Harness::new();
    harness.start(inventory).await;
    harness.then_dead("inventory", [("OrderCreated", "rejected")]);
}

#[tokio::test]
async fn hours_between_attempts_take_no_time_and_no_more_pass() {
    async fn third(_: Event<OrderCreated>, Attempt(attempt): Attempt) -> Result<(), Failure> {
        match attempt {
            3 => Ok(()),
            _ => Err(Failure::retry("not yet")),
        }
    }
    let policy = || Policy::attempts(3).backoff(HOUR..10 * HOUR, Jitter::None);
    let harness = Harness::new();
    let start = harness.now();
    harness
        .start(move || Service::new("inventory").on(third).policy(policy()))
        .await;
    let id = harness.publish(&OrderCreated::of("o-1")).await;
    harness.run_for(HOUR - Duration::from_secs(1)).await;
    assert_eq!(harness.attempts("inventory", &id), 1);
    harness.run_to_idle().await;
    assert_eq!(harness.attempts("inventory", &id), 3);
    assert_eq!(harness.now().since(start), 3 * HOUR);
    harness.then_dead("inventory", []);
}

#[tokio::test]
async fn faults_of_the_broker_leave_one_effect() {
    for fault in [
        Fault::Double,
        Fault::Reorder,
        Fault::LoseAck,
        Fault::LoseConfirm,
        Fault::RefusePublish,
    ] {
        let harness = Harness::new();
        let store = harness.start(inventory).await;
        harness.fault(fault, 2);
        harness.publish(&OrderCreated::of("o-1")).await;
        harness.publish(&OrderCreated::of("o-2")).await;
        harness.run_to_idle().await;
        assert_eq!(store.value("orders").as_deref(), Some("2"), "{fault:?}");
        harness.then_dead("inventory", []);
    }
}

#[tokio::test]
async fn a_crash_at_each_point_leaves_one_effect() {
    for (point, copies) in CRASHES {
        let harness = Harness::new();
        let store = harness.start(inventory).await;
        harness.publish(&OrderCreated::of("o-1")).await;
        harness.crash(point);
        harness.run_to_idle().await;
        assert_eq!(harness.crashes(), 1, "{point:?}");
        assert_eq!(store.value("orders").as_deref(), Some("1"), "{point:?}");
        let sent = harness.published::<InventoryReserved>();
        assert_eq!(sent.len(), copies, "{point:?}");
    }
}

#[tokio::test]
async fn a_database_or_a_broker_that_is_away_costs_time_alone() {
    let breaker = || {
        let breaker = Breaker::open_after(1).within(HOUR);
        breaker.probe_every(Duration::from_secs(5))
    };
    let harness = Harness::new();
    let store = harness.start(move || inventory().breaker(breaker())).await;
    harness.database_away(true);
    harness.publish(&OrderCreated::of("o-1")).await;
    harness.run_for(HOUR).await;
    assert_eq!(store.value("orders"), None);
    harness.database_away(false);
    harness.broker_away(true);
    harness.run_for(HOUR).await;
    assert_eq!(harness.published::<InventoryReserved>(), []);
    harness.broker_away(false);
    harness.run_to_idle().await;
    harness.then_published([InventoryReserved::of("o-1")]);
}

#[tokio::test]
async fn services_that_end_in_good_order_go_on() {
    let harness = Harness::new();
    let store = harness.start(inventory).await;
    harness.publish(&OrderCreated::of("o-1")).await;
    harness.restart_in_good_order().await;
    harness.publish(&OrderCreated::of("o-2")).await;
    harness.run_to_idle().await;
    assert_eq!(store.value("orders").as_deref(), Some("2"));
    assert_eq!(harness.crashes(), 0);
}

#[tokio::test]
#[should_panic(expected = "inventory: 1 messages of its topics")]
async fn what_goes_round_in_circles_is_told() {
    async fn later(_: Event<OrderCreated>) -> Result<(), Failure> {
        Err(Failure::Defer(24 * HOUR))
    }
    let harness = Harness::new();
    harness
        .start_without_store(|| Service::new("inventory").on(later))
        .await;
    harness.publish(&OrderCreated::of("o-1")).await;
    harness.run_to_idle().await;
}
