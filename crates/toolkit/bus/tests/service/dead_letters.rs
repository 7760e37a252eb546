//! What people do with dead letters, in the database and in the queue.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Alert, Attempt, DeadLetters, DeadNotice, Edit, Event, Failure, Filter, LettersError, Policy,
    Running, State, memory::MemoryTx,
};

use crate::world::{OrderCreated, World};

/// Whether the fix is deployed.
type Fixed = Arc<AtomicBool>;
type Handled = Arc<Mutex<Vec<(String, i64, u32)>>>;

async fn reserve(
    Event(order): Event<OrderCreated>,
    State(fixed): State<Fixed>,
    State(handled): State<Handled>,
    Attempt(attempt): Attempt,
) -> Result<(), Failure> {
    if order.quantity < 0 && !fixed.load(Ordering::Relaxed) {
        return Err(Failure::reject("a negative quantity"));
    }
    let entry = (order.order_id, order.quantity, attempt);
    handled.lock().expect("no panic").push(entry);
    Ok(())
}

struct Dead {
    world: World,
    fixed: Fixed,
    handled: Handled,
    running: Running,
    letters: Box<dyn DeadLetters>,
}

/// Two orders that are dead, and one that is handled.
async fn dead(has_store: bool) -> Dead {
    let world = World::new();
    let (fixed, handled) = (Fixed::default(), Handled::default());
    let service = world
        .service()
        .on(reserve)
        .state(Arc::clone(&fixed))
        .state(Arc::clone(&handled))
        .policy(Policy::attempts(3));
    let (running, letters): (_, Box<dyn DeadLetters>) = if has_store {
        let letters = world.store.dead_letters("inventory");
        (world.start(service).await, Box::new(letters))
    } else {
        let letters = world.queue_letters();
        (world.start_without_store(service).await, Box::new(letters))
    };
    for quantity in [-1, 2, -3] {
        world.order(&format!("order {quantity}"), quantity).await;
    }
    world.clock.run_to_idle().await;
    handled.lock().expect("no panic").clear();
    Dead {
        world,
        fixed,
        handled,
        running,
        letters,
    }
}

impl Dead {
    /// Waits for a call that may wait for time to pass.
    async fn call<T>(&self, call: impl Future<Output = T>) -> T {
        let mut call = std::pin::pin!(call);
        loop {
            tokio::select! {
                biased;
                output = &mut call => return output,
                () = self.world.clock.run_to_idle() => {}
            }
        }
    }

    async fn keys(&self, filter: &Filter) -> Vec<String> {
        let listed = self.call(self.letters.list(filter)).await;
        let listed = listed.expect("listed").into_iter();
        listed.map(|letter| letter.key).collect()
    }

    fn handled(&self) -> Vec<(String, i64, u32)> {
        let mut handled = self.handled.lock().expect("no panic").clone();
        handled.sort();
        handled
    }
}

async fn letters_are_listed_by_filter(dead: Dead) {
    let all = Filter::default();
    assert_eq!(dead.keys(&all).await, ["order -1", "order -3"]);
    assert_eq!(dead.keys(&all).await.len(), 2, "looking changes nothing");
    for (filter, count) in [
        (Filter::of_reason("rejected"), 2),
        (Filter::of_reason("error"), 0),
        (
            Filter {
                message_type: Some("OrderCreated".to_owned()),
                key: Some("order -3".to_owned()),
                ..Filter::default()
            },
            1,
        ),
        (
            Filter {
                handler: Some("other/OrderCreated".to_owned()),
                ..Filter::default()
            },
            0,
        ),
    ] {
        assert_eq!(dead.keys(&filter).await.len(), count, "{filter:?}");
    }
    let listed = dead.call(dead.letters.list(&all)).await.expect("listed");
    let shown = dead.call(dead.letters.show(&listed[0].id)).await;
    let shown = shown.expect("shown");
    assert_eq!(shown, listed[0]);
    assert_eq!(shown.story.error, "a negative quantity");
    assert_eq!(shown.body, dead.world.broker.topic("order.created")[0].body);
    let none = dead.call(dead.letters.show("none")).await;
    assert!(matches!(none, Err(LettersError::NoSuchLetter { .. })));
    dead.running.stop().await.expect("stopped");
}

async fn after_the_fix_they_are_handled(dead: Dead) {
    // Too early: it is dead again.
    let one = Filter {
        key: Some("order -3".to_owned()),
        ..Filter::default()
    };
    let retried = dead.call(dead.letters.retry(&one)).await;
    assert_eq!(retried.expect("retried"), 1);
    dead.world.clock.run_to_idle().await;
    assert_eq!(dead.handled(), []);
    assert_eq!(dead.keys(&Filter::default()).await.len(), 2);

    dead.fixed.store(true, Ordering::Relaxed);
    let retried = dead.call(dead.letters.retry(&Filter::default())).await;
    assert_eq!(retried.expect("retried"), 2);
    dead.world.clock.run_to_idle().await;
    let handled = dead.handled();
    let expected = [("order -1", -1, 1), ("order -3", -3, 1)];
    assert_eq!(
        handled,
        expected.map(|(key, n, at)| (key.to_owned(), n, at))
    );
    assert_eq!(dead.keys(&Filter::default()).await, [""; 0]);
    dead.world.assert_all_settled();
    dead.running.stop().await.expect("stopped");
}

async fn edited_and_dropped_letters_are_gone(dead: Dead) {
    let listed = dead.call(dead.letters.list(&Filter::default())).await;
    let listed = listed.expect("listed");
    let body = String::from_utf8(listed[0].body.to_vec()).expect("text");
    let body = body.replace("\"quantity\":-1", "\"quantity\":1").into();
    let edited = dead.call(dead.letters.edit(&listed[0].id, Edit { body }));
    edited.await.expect("edited");
    let other = Filter::of_id(&listed[1].id);
    let dropped = dead.call(dead.letters.forget(&other));
    assert_eq!(dropped.await.expect("dropped"), 1);
    dead.world.clock.run_to_idle().await;
    assert_eq!(dead.handled(), [("order -1".to_owned(), 1, 1)]);
    assert_eq!(dead.keys(&Filter::default()).await, [""; 0]);
    dead.running.stop().await.expect("stopped");
}

macro_rules! both {
    ($($claim:ident),+ $(,)?) => {
        mod in_the_database {
            $(
                #[tokio::test]
                async fn $claim() {
                    super::$claim(super::dead(true).await).await;
                }
            )+
        }
        mod in_the_queue {
            $(
                #[tokio::test]
                async fn $claim() {
                    super::$claim(super::dead(false).await).await;
                }
            )+
        }
    };
}

both!(
    letters_are_listed_by_filter,
    after_the_fix_they_are_handled,
    edited_and_dropped_letters_are_gone,
);

#[tokio::test]
async fn a_letter_in_the_queue_can_be_retried_although_there_is_a_database() {
    async fn third(
        Event(order): Event<OrderCreated>,
        State(fixed): State<Fixed>,
        mut tx: MemoryTx,
    ) -> Result<(), Failure> {
        tx.add(&order.order_id, 1);
        match fixed.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(Failure::reject("no")),
        }
    }
    let world = World::new();
    let fixed = Fixed::default();
    let service = world
        .service()
        .on(third)
        .state(Arc::clone(&fixed))
        .ordered_by_key(4);
    let running = world.start(service).await;
    world.order("a", 1).await;
    world.order("a", 2).await;
    world.clock.run_to_idle().await;
    fixed.store(true, Ordering::Relaxed);
    let letters = world.queue_letters();
    let all = Filter::default();
    let retried = letters.retry(&all);
    let (retried, ()) = tokio::join!(retried, async {
        world.clock.advance(std::time::Duration::from_secs(5)).await;
    });
    assert_eq!(retried.expect("retried"), 1);
    world.clock.run_to_idle().await;
    assert_eq!(world.number("a"), 2, "the one behind it is handled, too");
    assert_eq!(world.store.put_aside(), 0);
    running.stop().await.expect("stopped");
}

#[tokio::test]
async fn alerts_are_told_of_each_dead_letter() {
    #[derive(Debug, Clone, Default)]
    struct Told(Arc<Mutex<Vec<DeadNotice>>>);
    #[async_trait]
    impl Alert for Told {
        async fn dead(&self, notice: &DeadNotice) {
            self.0.lock().expect("no panic").push(notice.clone());
        }
    }
    async fn reject(_: Event<OrderCreated>) -> Result<(), Failure> {
        Err(Failure::reject("no such product"))
    }
    let world = World::new();
    let told = Told::default();
    let running = world
        .start(world.service().on(reject).alert(told.clone()))
        .await;
    let id = world.order("order-1", 1).await;
    world.clock.run_to_idle().await;
    let told = told.0.lock().expect("no panic").clone();
    let [notice] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(notice.message_id, id);
    assert_eq!(notice.message_type, "OrderCreated");
    assert_eq!(notice.story.error, "no such product");
    assert_eq!(Some(&notice.letter_id), world.dead()[0].message_id.as_ref());
    running.stop().await.expect("stopped");
}
