//! A crash at each point between a delivery and the end of what it causes.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::{Begun, Clock, Extensions, Store};
use stele_toolkit_sql::{Db, Failpoint, Options, Point, Relay, RelayOptions, Tx, sqlx};
use tokio::sync::watch;

use crate::support::{Hands, Home, Sink, claim, event, until};

/// Never returns from its point: what waits there is dropped by the test, as a crash would.
#[derive(Debug)]
struct Crash {
    at: Option<Point>,
    is_reached: watch::Sender<bool>,
}

#[async_trait]
impl Failpoint for Crash {
    async fn reach(&self, point: Point) {
        if self.at == Some(point) {
            self.is_reached.send_replace(true);
            std::future::pending().await
        }
    }
}

/// A service that handles one message, and the broker before and behind it.
#[derive(Debug)]
struct Scene {
    home: Home,
    hands: Hands,
    sink: Sink,
    is_acked: watch::Sender<bool>,
}

impl Scene {
    async fn new(home: Home) -> Self {
        let hands = Hands::noon();
        let scene = Self {
            sink: Sink::new(&hands),
            hands,
            home,
            is_acked: watch::Sender::new(false),
        };
        let (db, _) = scene.open(None).await;
        let mut tx = db.begin().await.unwrap();
        let table = sqlx::query("CREATE TABLE effects (place TEXT NOT NULL)");
        table.execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        db.close().await;
        scene
    }

    /// A new process.
    async fn open(&self, at: Option<Point>) -> (Db, Arc<Crash>) {
        let crash = Arc::new(Crash {
            at,
            is_reached: watch::Sender::new(false),
        });
        let options = Options::new().clock(Arc::new(self.hands.clone()));
        let failpoint: Arc<dyn Failpoint> = Arc::<Crash>::clone(&crash);
        let db = self.home.open_with(options.failpoint(failpoint)).await;
        (db, crash)
    }

    /// Takes the delivery, unless it is acknowledged, and relays for ever.
    async fn run(&self, db: &Db, crash: &Crash) {
        if !*self.is_acked.borrow() {
            self.handle(db, "order").await;
            crash.reach(Point::BeforeAck).await;
            self.is_acked.send_replace(true);
        }
        let options = RelayOptions {
            settle_after: Duration::ZERO,
            ..RelayOptions::default()
        };
        let error = Relay::with(db.clone(), Arc::new(self.sink.clone()), options)
            .run()
            .await;
        panic!("{error}");
    }

    async fn handle(&self, db: &Db, id: &str) {
        let claim = claim(id, "k", self.hands.now());
        let Begun::Work(mut work) = Store::begin(db, &claim).await.unwrap() else {
            return;
        };
        let mut lent = Extensions::new();
        work.lend(&mut lent);
        let mut tx = Tx::take(&lent).unwrap();
        let effect = sqlx::query("INSERT INTO effects (place) VALUES ($1)").bind(id);
        effect.execute(&mut *tx).await.unwrap();
        drop(tx);
        work.take_back(&mut lent).unwrap();
        if id == "order" {
            work.send(vec![event("caused", "k")]).await.unwrap();
        }
        work.commit().await.unwrap();
    }

    async fn effects(&self, db: &Db, place: &str) -> i64 {
        let mut reader = db.reader().await.unwrap();
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM effects WHERE place = $1");
        count.bind(place).fetch_one(&mut *reader).await.unwrap()
    }
}

/// Crashes once at this point, starts again, and returns how often the caused message was sent.
async fn crash_at(home: Home, point: Option<Point>) -> usize {
    let scene = Scene::new(home).await;
    if point.is_some() {
        let (db, crash) = scene.open(point).await;
        let mut is_reached = crash.is_reached.subscribe();
        tokio::select! {
            () = scene.run(&db, &crash) => {}
            reached = is_reached.wait_for(|is_reached| *is_reached) => drop(reached.unwrap()),
        }
    }
    let (db, crash) = scene.open(None).await;
    let recovered = async || {
        scene.hands.advance(Duration::from_millis(20));
        *scene.is_acked.borrow() && db.outbox_status().await.unwrap().waiting == 0
    };
    tokio::select! {
        () = scene.run(&db, &crash) => {}
        () = until(recovered) => {}
    }
    assert_eq!(scene.effects(&db, "order").await, 1, "handled once");
    let sent = scene.sink.ids();
    for id in &sent {
        scene.handle(&db, id).await;
    }
    assert_eq!(
        scene.effects(&db, "caused").await,
        1,
        "its effect is there once"
    );
    sent.len()
}

/// How often the caused message is sent if there is a crash at the point.
const COPIES: [(Option<Point>, usize); 7] = [
    (None, 1),
    (Some(Point::BeforeCommit), 1),
    (Some(Point::AfterCommit), 1),
    (Some(Point::BeforeAck), 1),
    (Some(Point::BeforeSend), 1),
    (Some(Point::AfterSend), 2),
    (Some(Point::BeforeDelete), 2),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_point_has_the_effect_once_on_sqlite() {
    for (point, copies) in COPIES {
        assert_eq!(crash_at(Home::sqlite(), point).await, copies, "{point:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_point_has_the_effect_once_on_postgres() {
    for (point, copies) in COPIES {
        assert_eq!(
            crash_at(Home::postgres().await, point).await,
            copies,
            "{point:?}"
        );
    }
}

#[test]
fn points_are_found_by_their_names() {
    let names: Vec<&str> = Point::ALL.into_iter().map(Point::name).collect();
    assert_eq!(
        names,
        [
            "before_commit",
            "after_commit",
            "before_ack",
            "before_send",
            "after_send",
            "before_delete"
        ]
    );
    for point in Point::ALL {
        assert_eq!(Point::of_name(point.name()), Some(point));
    }
    assert_eq!(Point::of_name("elsewhere"), None);
}
