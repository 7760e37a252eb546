//! Messages of a key are handled in order, whatever happens to them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use stele_toolkit_bus::{
    Attempt, Clock, Event, Failure, Jitter, Policy, State,
    memory::{MemoryTx, VirtualClock},
};

use crate::world::{Broken, OrderCreated, World};

const SECOND: Duration = Duration::from_secs(1);

fn plain() -> Policy {
    Policy::attempts(3).backoff(SECOND..10 * SECOND, Jitter::None)
}

/// What was handled of each key, in order.
#[derive(Debug, Default)]
pub(crate) struct Handled(Mutex<HashMap<String, Vec<i64>>>);

impl Handled {
    fn add(&self, order: &OrderCreated) {
        let mut handled = self.0.lock().expect("no panic");
        let of_key = handled.entry(order.order_id.clone()).or_default();
        of_key.push(order.quantity);
    }

    pub(crate) fn of(&self, key: &str) -> Vec<i64> {
        let handled = self.0.lock().expect("no panic");
        handled.get(key).cloned().unwrap_or_default()
    }
}

/// Fails the first two attempts at -1, and all at -2.
pub(crate) async fn note(
    Event(order): Event<OrderCreated>,
    State(handled): State<Arc<Handled>>,
    Attempt(attempt): Attempt,
) -> Result<(), Failure> {
    match (order.quantity, attempt) {
        (-1, 1..=2) | (-2, _) => Err(Broken.into()),
        _ => {
            handled.add(&order);
            Ok(())
        }
    }
}

#[tokio::test]
async fn those_behind_a_message_that_waits_for_its_retry_wait_and_others_do_not() {
    let world = World::new();
    let handled = Arc::new(Handled::default());
    let service = world
        .service()
        .on(note)
        .state(Arc::clone(&handled))
        .policy(plain())
        .ordered_by_key(4);
    let running = world.start(service).await;
    for quantity in [1, -1, 2, 3] {
        world.order("a", quantity).await;
    }
    for quantity in [1, 2] {
        world.order("b", quantity).await;
    }
    world.clock.settle().await;
    assert_eq!(handled.of("a"), [1]);
    assert_eq!(handled.of("b"), [1, 2]);
    world.order("a", 4).await;
    world.clock.run_to_idle().await;
    assert_eq!(handled.of("a"), [1, -1, 2, 3, 4]);
    assert_eq!(world.store.put_aside(), 0);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn relaxed_messages_do_not_wait() {
    let world = World::new();
    let handled = Arc::new(Handled::default());
    let service = world
        .service()
        .on(note)
        .state(Arc::clone(&handled))
        .policy(plain());
    let running = world.start(service).await;
    for quantity in [-1, 2] {
        world.order("a", quantity).await;
    }
    world.clock.run_to_idle().await;
    assert_eq!(handled.of("a"), [2, -1]);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn those_behind_a_dead_message_wait_until_it_is_gone() {
    use stele_toolkit_bus::{DeadLetters as _, Filter};
    let world = World::new();
    let handled = Arc::new(Handled::default());
    let service = world
        .service()
        .on(note)
        .state(Arc::clone(&handled))
        .policy(plain())
        .ordered_by_key(4);
    let running = world.start(service).await;
    for quantity in [1, -2, 2, 3] {
        world.order("a", quantity).await;
    }
    world.order("b", 1).await;
    world.clock.run_to_idle().await;
    assert_eq!(handled.of("a"), [1]);
    assert_eq!(handled.of("b"), [1]);
    assert_eq!(world.reasons(), ["error"]);
    let letters = world.store.dead_letters("inventory");
    assert_eq!(
        letters.forget(&Filter::default()).await.expect("dropped"),
        1
    );
    world.clock.run_to_idle().await;
    assert_eq!(handled.of("a"), [1, 2, 3]);
    assert_eq!(world.store.put_aside(), 0);
    running.stop().await.expect("stopped");
}

/// How many are handled now, of each key and in all.
#[derive(Debug, Default)]
struct Busy {
    of_key: HashMap<String, usize>,
    most: usize,
}

#[tokio::test]
async fn many_keys_are_handled_at_the_same_time_and_one_message_of_each() {
    async fn slow(
        Event(order): Event<OrderCreated>,
        State(busy): State<Mutex<Busy>>,
        State(handled): State<Arc<Handled>>,
        clock: Arc<dyn Clock>,
    ) {
        {
            let mut busy = busy.lock().expect("no panic");
            let of_key = busy.of_key.entry(order.order_id.clone()).or_default();
            *of_key += 1;
            assert_eq!(*of_key, 1, "two of {}", order.order_id);
            let now = busy.of_key.values().sum::<usize>();
            busy.most = busy.most.max(now);
        }
        clock.sleep(SECOND).await;
        handled.add(&order);
        let mut busy = busy.lock().expect("no panic");
        *busy.of_key.entry(order.order_id).or_default() -= 1;
    }
    let world = World::new();
    let handled = Arc::new(Handled::default());
    let service = world
        .service()
        .on(slow)
        .state(Arc::clone(&handled))
        .state(Mutex::new(Busy::default()))
        .ordered_by_key(64);
    let running = world.start(service).await;
    for number in 0..10 {
        for key in 0..20 {
            world.order(&format!("key-{key}"), number).await;
        }
    }
    let start = world.clock.now();
    world.clock.run_to_idle().await;
    let numbers: Vec<i64> = (0..10).collect();
    for key in 0..20 {
        assert_eq!(handled.of(&format!("key-{key}")), numbers);
    }
    let took = world.clock.now().since(start);
    assert!(took < 60 * SECOND, "200 s of work took {took:?}");
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn time_passes_only_when_nothing_else_can_happen() {
    async fn touch(Event(order): Event<OrderCreated>, mut tx: MemoryTx) {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        tx.add(&order.order_id, 1);
    }
    let world = World::new();
    let running = world.start(world.service().on(touch)).await;
    let start = world.clock.now();
    for number in 0..100 {
        world.order(&format!("order-{number}"), 1).await;
    }
    world.clock.run_to_idle().await;
    assert_eq!(world.clock.now(), start);
    assert_eq!(world.clock.timers(), 0);
    assert_eq!(world.number("order-99"), 1);
    let clock: &VirtualClock = &world.clock;
    assert_eq!(clock.now(), start);
    running.stop().await.expect("stopped");
}
