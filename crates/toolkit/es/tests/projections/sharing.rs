//! Several processes that run one projection.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_es::{
    AggregateEvent, Projection, Recorded, Rows, RunError, Runner, SqlStore, Types,
    projection::{ApplyError, Settings},
};
use stele_toolkit_sql::{Dialect, sqlx};
use tokio::sync::{oneshot, watch};

use crate::{
    order::OrderEvent,
    world::{World, patiently},
};

crate::home::claims! { crate::world::World::new:
    two_at_once_apply_each_event_once;
    another_process_goes_on_when_the_lease_is_over;
}

/// Counts events, so that one that is applied twice is seen.
#[derive(Clone, Copy, Debug)]
struct Counting;

#[async_trait]
impl Projection for Counting {
    const NAME: &'static str = "counting";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["counting"];
    const SCHEMA: &'static str = "
        CREATE TABLE {counting} (one BIGINT PRIMARY KEY, events BIGINT);
        INSERT INTO {counting} VALUES (1, 0);
    ";

    fn types() -> Types {
        OrderEvent::types()
    }

    async fn apply(&self, _: &Recorded, rows: &mut Rows<'_>) -> Result<(), ApplyError> {
        let add = "UPDATE {counting} SET events = events + 1 WHERE one = 1";
        sqlx::query(rows.sql(add)).execute(&mut **rows).await?;
        Ok(())
    }
}

const COUNT: &str = "SELECT events FROM counting";

async fn runner_of_another_process(world: &World) -> Runner<Counting> {
    let db = world.other_process().await;
    let store = Arc::new(SqlStore::open(db.clone()).await.unwrap());
    let settings = Settings {
        batch: 3,
        ..Settings::default()
    };
    let runner = Runner::open(db, store, Counting).await.unwrap();
    runner.with_settings(settings)
}

async fn two_at_once_apply_each_event_once(world: World) {
    let mut first = runner_of_another_process(&world).await;
    world
        .catch_up(&mut first, &Default::default())
        .await
        .unwrap();
    let last = world.create_many(0..60).await;
    // Without leases, as if both believed that they had one.
    let (done, is_done) = watch::channel(false);
    let working = |mut runner: Runner<Counting>, is_done: watch::Receiver<bool>| async move {
        while !*is_done.borrow() {
            match runner.step().await {
                Ok(_) | Err(RunError::Raced { .. }) => {}
                Err(other) => panic!("{other}"),
            }
            tokio::task::yield_now().await;
        }
    };
    let second = runner_of_another_process(&world).await;
    let tasks = [
        tokio::spawn(working(first, is_done.clone())),
        tokio::spawn(working(second, is_done)),
    ];
    patiently(async {
        loop {
            let generation = world.generations().await.remove(0);
            if generation.position.covers(&last) {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    done.send(true).unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(world.number(COUNT).await.unwrap(), 60);
}

async fn another_process_goes_on_when_the_lease_is_over(world: World) {
    let first = runner_of_another_process(&world).await;
    let second = runner_of_another_process(&world).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let first = tokio::spawn(first.run(async {
        stopped.await.ok();
    }));
    let seen = world.create_many(0..5).await;
    let wait_for = async |count: i64| {
        patiently(async {
            while world.number(COUNT).await.ok() != Some(count) {
                tokio::task::yield_now().await;
                world.clock.advance(Duration::from_millis(1));
            }
        })
        .await;
    };
    wait_for(5).await;
    let second = tokio::spawn(second.run(std::future::pending()));
    if world.db.dialect() == Dialect::Postgres {
        // A task that is aborted may leave its transaction open, and events of later ones hidden.
        drop(stop);
        first.await.unwrap().unwrap();
    } else {
        // It is gone without giving back its lease.
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
    }
    let last = world.create_many(5..9).await;
    assert!(seen < last);
    wait_for(9).await;
    second.abort();
}
