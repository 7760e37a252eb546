//! Events that can't be applied.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use prometheus_client::registry::Registry;
use stele_toolkit_es::{
    AggregateEvent, Projection, Recorded, Rows, RunError, Types,
    projection::{ApplyError, Metrics, Step},
};
use stele_toolkit_sql::sqlx;

use crate::{order::OrderEvent, world::World};

crate::home::claims! { crate::world::World::new:
    an_event_that_fails_stops_the_projection_visibly;
    it_is_tried_again_later_and_later;
    a_failure_undoes_its_rows_and_its_checkpoint;
}

/// Counts orders, and refuses one of them while it is broken.
#[derive(Clone, Debug, Default)]
struct Fragile {
    is_broken: Arc<AtomicBool>,
    tries: Arc<AtomicU32>,
}

#[async_trait]
impl Projection for Fragile {
    const NAME: &'static str = "fragile";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["fragile"];
    const SCHEMA: &'static str = "CREATE TABLE {fragile} (stream TEXT, version BIGINT)";

    fn types() -> Types {
        OrderEvent::types()
    }

    async fn apply(&self, event: &Recorded, rows: &mut Rows<'_>) -> Result<(), ApplyError> {
        // The rows come first: a failure has to undo them.
        sqlx::query(rows.sql("INSERT INTO {fragile} VALUES ($1, $2)"))
            .bind(event.stream.as_str())
            .bind(i64::try_from(event.version)?)
            .execute(&mut **rows)
            .await?;
        if event.stream.id() == "order-0003" {
            self.tries.fetch_add(1, Ordering::SeqCst);
            if self.is_broken.load(Ordering::SeqCst) {
                sqlx::query("SELECT id FROM nowhere")
                    .execute(&mut **rows)
                    .await?;
            }
        }
        Ok(())
    }
}

async fn count(world: &World) -> i64 {
    world.number("SELECT COUNT(*) FROM fragile").await.unwrap()
}

/// A world in which the fragile projection is live and broken.
async fn broken(world: &World) -> (Fragile, stele_toolkit_es::Runner<Fragile>) {
    let fragile = Fragile::default();
    let mut runner = world.runner(fragile.clone()).await;
    world
        .catch_up(&mut runner, &Default::default())
        .await
        .unwrap();
    fragile.is_broken.store(true, Ordering::SeqCst);
    (fragile, runner)
}

/// Steps until an event can't be applied.
async fn stopped(runner: &mut stele_toolkit_es::Runner<Fragile>) -> RunError {
    crate::world::patiently(async {
        loop {
            match runner.step().await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => return error,
            }
        }
    })
    .await
}

async fn an_event_that_fails_stops_the_projection_visibly(world: World) {
    let (fragile, runner) = broken(&world).await;
    let mut registry = Registry::default();
    let mut runner = runner.with_metrics(Metrics::register(&mut registry));
    let last = world.create_many(0..6).await;
    let error = stopped(&mut runner).await;
    match &error {
        RunError::Apply {
            name,
            stream,
            version,
            reason,
            ..
        } => {
            assert_eq!(
                (*name, stream.as_str(), *version),
                ("fragile", "Order/order-0003", 1)
            );
            assert!(reason.contains("nowhere"), "{reason}");
        }
        other => panic!("{other}"),
    }
    assert_eq!(
        count(&world).await,
        3,
        "those before it are applied, none behind it"
    );
    let generations = world.generations().await;
    let failed = generations[0].failed.as_ref().unwrap();
    assert_eq!(failed.attempts, 1);
    assert!(failed.reason.contains("nowhere"), "{}", failed.reason);
    assert!(!generations[0].position.covers(&failed.position));
    let shown = shown(&registry);
    let labels = r#"{projection="fragile",generation="live"}"#;
    for line in [
        format!("projection_stopped{labels} 1"),
        format!("projection_failures_total{labels} 1"),
        format!("projection_applied_total{labels} 3"),
    ] {
        assert!(shown.contains(&line), "{line} in {shown}");
    }

    fragile.is_broken.store(false, Ordering::SeqCst);
    world.clock.advance(Duration::from_secs(1));
    world.catch_up(&mut runner, &last).await.unwrap();
    assert_eq!(count(&world).await, 6);
    assert_eq!(world.generations().await[0].failed, None);
    assert!(self::shown(&registry).contains(&format!("projection_stopped{labels} 0")));
}

fn shown(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    text
}

async fn it_is_tried_again_later_and_later(world: World) {
    let (fragile, mut runner) = broken(&world).await;
    world.create_many(0..4).await;
    stopped(&mut runner).await;
    let mut waits = Vec::new();
    for _ in 0..8 {
        let tries = fragile.tries.load(Ordering::SeqCst);
        let mut seconds = 0;
        while fragile.tries.load(Ordering::SeqCst) == tries {
            match runner.step().await {
                Ok(Step::Idle) => {
                    world.clock.advance(Duration::from_secs(1));
                    seconds += 1;
                }
                Err(RunError::Apply { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
        waits.push(seconds);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    let generations = world.generations().await;
    assert_eq!(generations[0].failed.as_ref().unwrap().attempts, 9);
    assert_eq!(count(&world).await, 3);
}

async fn a_failure_undoes_its_rows_and_its_checkpoint(world: World) {
    let (_, mut runner) = broken(&world).await;
    world.create_many(3..5).await;
    let before = world.generations().await[0].position.clone();
    stopped(&mut runner).await;
    assert_eq!(count(&world).await, 0);
    assert_eq!(world.generations().await[0].position, before);
}
