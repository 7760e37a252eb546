//! A service refuses to start when it would be weaker than it says.

use std::{sync::Arc, time::Duration};

use stele_toolkit_bus::{
    Batch, Caps, Event, Jitter, NoStore, Ordering, Policy, Raw, Release, Service, StartError,
    State, Store,
};

use crate::world::{Calls, InventoryReserved, OrderCreated, World};

async fn nothing(_: Event<OrderCreated>) {}

async fn start(
    world: &World,
    service: Service,
    store: Arc<dyn Store>,
    change: impl FnOnce(&mut Caps),
) -> Result<(), String> {
    let transport = world.broker.transport().with_caps(change);
    match service.start(store, Arc::new(transport)).await {
        Ok(running) => {
            running.stop().await.expect("stopped");
            Ok(())
        }
        Err(error) => {
            assert!(!matches!(error, StartError::Transport(_)), "{error}");
            Err(error.to_string())
        }
    }
}

#[tokio::test]
async fn what_a_transport_cannot_give_is_refused_unless_a_store_gives_it() {
    type Change = fn(&mut Caps);
    type Setting<'a> = &'a dyn Fn(Service) -> Service;
    let world = World::new();
    let hour = Duration::from_secs(3600);
    let long = || Policy::attempts(2).backoff(hour..hour, Jitter::None);
    let short: Change = |caps| caps.release_max = Duration::from_secs(900);
    let uncounted: Change = |caps| caps.counts_deliveries = false;
    let overtaking: Change = |caps| caps.release = Release::Message;
    let cases: [(Setting<'_>, Change, &str); 3] = [
        (&|it| it.policy(long()), short, "retries up to 3600s later"),
        (&|it| it, uncounted, "a count of attempts"),
        (
            &|it| it.ordered_by_key(8),
            overtaking,
            "the order of keys across retries",
        ),
    ];
    for (setting, change, what) in cases {
        let service = || setting(world.service().on(nothing));
        let refused = start(&world, service(), Arc::new(NoStore), change).await;
        let refused = refused.expect_err(what);
        assert!(refused.starts_with("inventory asks for"), "{refused}");
        assert!(refused.contains(what), "{refused}");
        assert!(refused.contains("use a durable store"), "{refused}");
        let store = Arc::new(world.store.clone());
        assert_eq!(
            start(&world, service(), store, change).await,
            Ok(()),
            "{what}"
        );
    }
    let service = world.service().on(nothing).count_attempts_in_memory();
    let started = start(&world, service, Arc::new(NoStore), uncounted).await;
    assert_eq!(started, Ok(()));
    let service = world.service().on(nothing).policy(Policy::attempts(1));
    let started = start(&world, service, Arc::new(NoStore), uncounted).await;
    assert_eq!(started, Ok(()));
}

#[tokio::test]
async fn an_order_that_no_store_can_make_is_refused() {
    let world = World::new();
    let store = || Arc::new(world.store.clone());
    let ordered = || world.service().on(nothing).ordered_by_key(8);
    let unordered = |caps: &mut Caps| caps.ordering = Ordering::None;
    let by_queue = |caps: &mut Caps| caps.ordering = Ordering::ByQueue;
    let refused = start(&world, ordered(), store(), unordered).await;
    assert!(
        refused
            .expect_err("no order")
            .contains("delivers in any order")
    );
    let refused = start(&world, ordered(), store(), by_queue).await;
    assert!(
        refused
            .expect_err("one consumer")
            .contains("Service::single_active")
    );
    let single = ordered().single_active();
    assert_eq!(start(&world, single, store(), by_queue).await, Ok(()));
    let single = world.service().on(nothing).single_active();
    let refused = start(&world, single, store(), |caps| caps.single_active = false).await;
    assert!(
        refused
            .expect_err("no stand-by")
            .contains("one active process")
    );
}

#[tokio::test]
async fn what_could_never_be_called_is_refused() {
    async fn stateful(_: Event<OrderCreated>, _: State<Calls>) {}
    async fn again(_: Event<OrderCreated>) {}
    async fn raw(_: Raw) {}
    async fn batch(_: Batch<InventoryReserved>) {}
    let world = World::new();
    let refused = |service| {
        let store = Arc::new(NoStore);
        let world = &world;
        async move {
            let started = start(world, service, store, |_| {}).await;
            started.expect_err("refused")
        }
    };
    let none = refused(world.service()).await;
    assert_eq!(none, "inventory has no handlers");
    let no_state = refused(world.service().on(stateful)).await;
    assert!(no_state.contains("no state of type"), "{no_state}");
    let twice = refused(world.service().on(nothing).on(again)).await;
    assert_eq!(twice, "there are two handlers of inventory/OrderCreated");
    let from_nowhere = refused(world.service().on(raw)).await;
    assert!(from_nowhere.contains("Service::on_raw"), "{from_nowhere}");
    let batches = refused(world.service().on(batch).ordered_by_key(2)).await;
    assert!(batches.contains("retries of batches"), "{batches}");
}
