use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Notes the time at each of these seconds.
fn note(clock: &VirtualClock, seconds: u32, noted: &Arc<Mutex<Vec<Timestamp>>>) {
    let (clock, noted) = (clock.clone(), Arc::clone(noted));
    tokio::spawn(async move {
        clock.sleep(seconds * SECOND).await;
        noted.lock().expect("no panic").push(clock.now());
    });
}

#[tokio::test]
async fn timers_fire_in_order_and_at_their_time() {
    let clock = VirtualClock::new();
    let (start, noted) = (clock.now(), Arc::default());
    for seconds in [3, 1, 2, 2] {
        note(&clock, seconds, &noted);
    }
    clock.advance(2 * SECOND).await;
    clock.settle().await;
    let at = |seconds: u32| start + seconds * SECOND;
    assert_eq!(*noted.lock().expect("no panic"), [at(1), at(2), at(2)]);
    assert_eq!(clock.now(), at(2));
    clock.run_to_idle().await;
    assert_eq!(clock.now(), at(3));
    assert_eq!(noted.lock().expect("no panic").len(), 4);
}

#[tokio::test]
async fn time_does_not_pass_while_something_is_in_flight() {
    let clock = VirtualClock::new();
    let noted = Arc::default();
    note(&clock, 1, &noted);
    let (tell, told) = tokio::sync::oneshot::channel();
    let flight = clock.in_flight();
    let start = clock.now();
    let working = {
        let clock = clock.clone();
        tokio::spawn(async move {
            told.await.expect("told");
            let now = clock.now();
            drop(flight);
            now
        })
    };
    let elsewhere = thread(move || tell.send(()).expect("somebody waits"));
    clock.run_to_idle().await;
    assert_eq!(working.await.expect("no panic"), start);
    assert_eq!(clock.now(), start + SECOND);
    elsewhere.join().expect("no panic");
}

/// A thread that does something after the runtime has nothing left to do.
#[expect(
    clippy::disallowed_methods,
    reason = "a database's thread, played by the test"
)]
fn thread(work: impl FnOnce() + Send + 'static) -> std::thread::JoinHandle<()> {
    std::thread::spawn(work)
}

#[tokio::test]
async fn a_timer_that_is_dropped_does_not_hold_time() {
    let clock = VirtualClock::new();
    let start = clock.now();
    tokio::select! {
        biased;
        () = clock.sleep(100 * SECOND) => unreachable!("it is idle sooner"),
        () = clock.settle() => {}
    }
    assert_eq!(clock.timers(), 0);
    clock.run_to_idle().await;
    assert_eq!(clock.now(), start);
}

#[tokio::test]
async fn an_automatic_clock_moves_when_nothing_else_can_happen() {
    let clock = VirtualClock::automatic();
    let start = clock.now();
    let steps = Arc::new(AtomicUsize::new(0));
    let working = {
        let (clock, steps) = (clock.clone(), Arc::clone(&steps));
        tokio::spawn(async move {
            for _ in 0..10_000 {
                steps.fetch_add(1, Ordering::Relaxed);
                task::yield_now().await;
            }
            clock.now()
        })
    };
    clock.sleep(SECOND).await;
    assert_eq!(steps.load(Ordering::Relaxed), 10_000);
    assert_eq!(working.await.expect("no panic"), start);
    assert_eq!(clock.now(), start + SECOND);
}

#[tokio::test]
async fn time_does_not_pass_while_something_outside_works() {
    /// Works until it was asked so often, and notes when it was asked.
    struct Works {
        left: AtomicUsize,
        asked: Mutex<Vec<Timestamp>>,
    }

    impl Outside for Works {
        fn is_busy(&self, clock: &VirtualClock) -> bool {
            let left = self.left.load(Ordering::Relaxed);
            if left > 0 {
                self.left.store(left - 1, Ordering::Relaxed);
                self.asked.lock().expect("no panic").push(clock.now());
            }
            left > 0
        }
    }

    let clock = VirtualClock::new();
    let works = Arc::new(Works {
        left: 100.into(),
        asked: Mutex::default(),
    });
    clock.watch(Arc::<Works>::clone(&works));
    let (start, noted) = (clock.now(), Arc::default());
    note(&clock, 1, &noted);
    assert!(clock.step().await, "there is a timer");
    clock.settle().await;
    assert_eq!(*noted.lock().expect("no panic"), [start + SECOND]);
    assert_eq!(*works.asked.lock().expect("no panic"), [start; 100]);
    assert!(!clock.step().await, "there is none any more");
}

#[tokio::test]
async fn a_task_has_its_own_timers() {
    let clock = VirtualClock::new();
    let none = tokio::spawn(std::future::pending::<()>());
    let other = clock.clone();
    let one = tokio::spawn(async move { other.sleep(SECOND).await });
    clock.settle().await;
    assert_eq!(
        (clock.timers_of(none.id()), clock.timers_of(one.id())),
        (0, 1)
    );
    assert!(clock.step().await);
    assert_eq!(clock.timers_of(one.id()), 0);
}

#[tokio::test]
async fn one_clock_may_follow_another() {
    let start = VirtualClock::new().now();
    let (clock, noted) = (VirtualClock::new(), Arc::default());
    note(&clock, 1, &noted);
    clock.run_to_idle().await;
    assert_eq!(*noted.lock().expect("no panic"), [start + SECOND]);
}
