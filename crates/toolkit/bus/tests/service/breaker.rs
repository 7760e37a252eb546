//! While what the handlers use is away, messages wait and lose no attempts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use stele_toolkit_bus::{
    Attempt, Breaker, Event, Failure, FailureClass, Jitter, Policy, Service, State,
    memory::MemoryTx,
};

use crate::world::{Broken, Calls, OrderCreated, World};

const SECOND: Duration = Duration::from_secs(1);

/// What the handler uses.
type Provider = Arc<AtomicBool>;

async fn charge(
    Event(order): Event<OrderCreated>,
    State(calls): State<Calls>,
    State(provider): State<Provider>,
    Attempt(attempt): Attempt,
    mut tx: MemoryTx,
) -> Result<(), Failure> {
    calls.next();
    tx.set(
        format!("attempts of {}", order.order_id),
        attempt.to_string(),
    );
    match provider.load(Ordering::Relaxed) {
        true => Ok(()),
        false => Err(Broken.into()),
    }
}

fn service(world: &World, calls: &Calls, provider: &Provider) -> Service {
    let policy = Policy::attempts(3).backoff(SECOND..2 * SECOND, Jitter::None);
    let breaker = Breaker::open_after(5)
        .within(10 * SECOND)
        .probe_every(5 * SECOND);
    world
        .service()
        .on(charge)
        .state(calls.clone())
        .state(Arc::clone(provider))
        .policy(policy)
        .concurrency(5)
        .breaker(breaker)
}

#[tokio::test]
async fn an_open_breaker_pauses_the_subscription_and_no_attempt_is_lost() {
    let world = World::new();
    let (calls, provider) = (Calls::default(), Provider::default());
    let running = world.start(service(&world, &calls, &provider)).await;
    for number in 0..100 {
        world.order(&format!("order-{number}"), 1).await;
    }
    world.clock.advance(62 * SECOND).await;
    // The five that opened it, four that had begun by then, and a probe every 5 s.
    assert_eq!(calls.count(), 5 + 4 + 12);
    let dead = world.dead().len();
    assert!(dead <= calls.count() / 3, "{dead} are dead");

    provider.store(true, Ordering::Relaxed);
    world.clock.run_to_idle().await;
    assert_eq!(world.dead().len(), dead, "no more are");
    for number in 50..100 {
        let attempts = world.number(&format!("attempts of order-{number}"));
        assert_eq!(attempts, 1, "of order {number}");
    }
    world.assert_all_settled();
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn rejected_messages_do_not_open_it() {
    async fn reject(_: Event<OrderCreated>) -> Result<(), Failure> {
        Err(Failure::reject("no such product"))
    }
    let world = World::new();
    let service = world
        .service()
        .on(reject)
        .breaker(Breaker::open_after(2).probe_every(1000 * SECOND));
    let running = world.start(service).await;
    for number in 0..20 {
        world.order(&format!("order-{number}"), 1).await;
    }
    world.clock.settle().await;
    let expected = vec![FailureClass::Rejected.name(); 20];
    assert_eq!(world.reasons(), expected);
    running.stop().await.expect("stopped");
}
