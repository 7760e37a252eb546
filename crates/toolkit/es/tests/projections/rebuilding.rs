//! Filling tables anew, beside those that are read.

use async_trait::async_trait;
use stele_toolkit_es::{
    AggregateEvent, Projection, Recorded, Rows, RunError, Types,
    projection::{ApplyError, Settings, Step},
};
use stele_toolkit_sql::sqlx;

use crate::{
    order::OrderEvent,
    projection::OrderProjection,
    world::{World, patiently},
};

crate::home::claims! { crate::world::World::new:
    readers_never_see_a_half_filled_table;
    a_new_version_is_filled_beside_the_old_one_which_goes_on;
    older_code_is_told_that_it_is_superseded;
    tables_that_nobody_finished_are_deleted;
    readers_never_go_back_in_time;
}

/// The same table with another column, and so another version.
#[derive(Clone, Copy, Debug)]
struct SecondVersion;

#[async_trait]
impl Projection for SecondVersion {
    const NAME: &'static str = OrderProjection::NAME;
    const VERSION: u32 = 2;
    const TABLES: &'static [&'static str] = OrderProjection::TABLES;
    const SCHEMA: &'static str = "
        CREATE TABLE {order_summaries} (id TEXT PRIMARY KEY, total BIGINT, events BIGINT);
        CREATE INDEX {order_summaries}_by_total ON {order_summaries} (total);
    ";

    fn types() -> Types {
        OrderEvent::types()
    }

    async fn apply(&self, event: &Recorded, rows: &mut Rows<'_>) -> Result<(), ApplyError> {
        if let OrderEvent::OrderCreated(created) = OrderEvent::open(&event.event)? {
            sqlx::query(rows.sql("INSERT INTO {order_summaries} VALUES ($1, $2, 1)"))
                .bind(created.order_id)
                .bind(created.total_cents)
                .execute(&mut **rows)
                .await?;
        }
        Ok(())
    }
}

fn small_pages() -> Settings {
    Settings {
        batch: 7,
        ..Settings::default()
    }
}

async fn readers_never_see_a_half_filled_table(world: World) {
    let runner = world.runner(OrderProjection).await;
    let mut runner = runner.with_settings(small_pages());
    let last = world.create_many(0..40).await;
    // Not even the first time: there is no table until it is complete.
    let missing = world.number("SELECT COUNT(*) FROM order_summaries").await;
    missing.unwrap_err();
    world.catch_up(&mut runner, &last).await.unwrap();
    assert_eq!(world.rows().await, 40);

    runner.rebuild().await.unwrap();
    runner.rebuild().await.unwrap();
    let numbers = |world: Vec<stele_toolkit_es::projection::Generation>| {
        world
            .iter()
            .map(|of| (of.number, of.is_live))
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(world.generations().await), [(1, true), (2, false)]);
    let beside = world
        .number("SELECT COUNT(*) FROM order_summaries__2")
        .await;
    assert_eq!(beside.unwrap(), 0);
    let mut steps = 0;
    patiently(async {
        loop {
            let step = runner.step().await.unwrap();
            assert_eq!(world.rows().await, 40);
            steps += 1;
            if step == Step::Switched {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(steps >= 6, "{steps} steps");
    assert_eq!(numbers(world.generations().await), [(2, true)]);
    let beside = world
        .number("SELECT COUNT(*) FROM order_summaries__2")
        .await;
    beside.unwrap_err();

    let last = world.create_many(40..45).await;
    world.catch_up(&mut runner, &last).await.unwrap();
    assert_eq!(world.rows().await, 45, "the new table goes on");
}

async fn a_new_version_is_filled_beside_the_old_one_which_goes_on(world: World) {
    let mut old = world.runner(OrderProjection).await;
    let last = world.create_many(0..20).await;
    world.catch_up(&mut old, &last).await.unwrap();

    let new = world.runner(SecondVersion).await;
    let mut new = new.with_settings(small_pages());
    assert_eq!(new.step().await.unwrap(), Step::Moved);
    assert_eq!(new.step().await.unwrap(), Step::Moved);
    // The old one is still read, and still kept up to date.
    let last = world.create_many(20..30).await;
    world.catch_up(&mut old, &last).await.unwrap();
    assert_eq!(world.rows().await, 30);
    let new_column = world
        .number("SELECT MIN(events) FROM order_summaries")
        .await;
    new_column.unwrap_err();

    world.catch_up(&mut new, &last).await.unwrap();
    let sum = "SELECT CAST(SUM(events) AS BIGINT) FROM order_summaries";
    assert_eq!(world.number(sum).await.unwrap(), 30);
    let failed = old.step().await.unwrap_err();
    assert!(
        matches!(
            failed,
            RunError::Superseded {
                own: 1,
                newer: 2,
                ..
            }
        ),
        "{failed}"
    );
    // A running process of it ends by itself.
    let ended = patiently(old.run(std::future::pending())).await;
    assert!(matches!(ended, Err(RunError::Superseded { .. })));
}

async fn older_code_is_told_that_it_is_superseded(world: World) {
    let mut new = world.runner(SecondVersion).await;
    // It is being filled, nothing is live.
    assert_eq!(new.step().await.unwrap(), Step::Moved);
    let mut old = world.runner(OrderProjection).await;
    let failed = old.step().await.unwrap_err();
    assert!(
        matches!(
            failed,
            RunError::Superseded {
                own: 1,
                newer: 2,
                ..
            }
        ),
        "{failed}"
    );
}

async fn tables_that_nobody_finished_are_deleted(world: World) {
    world.create_many(0..10).await;
    let old = world.runner(OrderProjection).await;
    let mut old = old.with_settings(small_pages());
    assert_eq!(old.step().await.unwrap(), Step::Moved);
    world
        .number("SELECT COUNT(*) FROM order_summaries__1")
        .await
        .unwrap();
    let mut new = world.runner(SecondVersion).await;
    assert_eq!(new.step().await.unwrap(), Step::Moved);
    let deleted = world
        .number("SELECT COUNT(*) FROM order_summaries__1")
        .await;
    deleted.unwrap_err();
    world
        .number("SELECT COUNT(*) FROM order_summaries__2")
        .await
        .unwrap();
    assert_eq!(world.generations().await.len(), 1);
}

async fn readers_never_go_back_in_time(world: World) {
    let mut old = world.runner(OrderProjection).await;
    let last = world.create_many(0..5).await;
    world.catch_up(&mut old, &last).await.unwrap();
    let mut new = world.runner(SecondVersion).await;
    assert_eq!(new.step().await.unwrap(), Step::Moved);
    // The live table claims to be further than what can be read.
    let ahead = "UPDATE stele_projections SET position = '9223372036854775807.1' WHERE is_live = 1";
    let mut tx = world.db.begin().await.unwrap();
    sqlx::query(ahead).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    for _ in 0..5 {
        assert_ne!(new.step().await.unwrap(), Step::Switched);
    }
    assert_eq!(world.generations().await.len(), 2);
}
