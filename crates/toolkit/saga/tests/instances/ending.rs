//! Instances that ended long ago are deleted.

use std::time::Duration;

use stele_toolkit_saga::{Filter, Instances, Operator, SagaId};
use stele_toolkit_sql::sqlx;

use crate::order::{InventoryReserved, PaymentProcessed, World, sent};

crate::home::claims! { crate::order::World::new:
    ended_instances_are_deleted_oldest_first;
    an_instance_that_somebody_has_to_look_at_stays;
}

const HOUR: u64 = 3600;

/// An instance that goes through all of its steps.
async fn end(world: &World, id: &str) {
    let started = world.handle(&world.created(id)).await;
    let charge = world.reply::<InventoryReserved>(&sent(&started)[0]).await;
    let done = world.reply::<PaymentProcessed>(&sent(&charge)[0]).await;
    assert_eq!(done.entries.len(), 2);
}

/// Deletes what ended an hour ago.
async fn delete(world: &World, max: u32) -> u32 {
    let mut tx = world.begin().await;
    let before = tx.now() - Duration::from_secs(HOUR);
    let deleted = world.orchestrator.delete_ended(&mut tx, before, max).await;
    tx.commit().await.unwrap();
    deleted.unwrap()
}

/// The ids of the instances that are there, and of those with a history.
async fn left(world: &World) -> (Vec<String>, Vec<String>) {
    let listed = Instances::of(&world.db).list(&Filter::default(), 10).await;
    let mut ids: Vec<String> = listed.unwrap().into_iter().map(|it| it.id.0).collect();
    ids.sort();
    let logged = world
        .db
        .sql("SELECT DISTINCT id FROM {p}saga_log ORDER BY id");
    let mut reader = world.db.reader().await.unwrap();
    let logged = sqlx::query_scalar(logged).fetch_all(&mut *reader).await;
    (ids, logged.unwrap())
}

fn ids(all: &[&str]) -> (Vec<String>, Vec<String>) {
    let all: Vec<String> = all.iter().map(|id| (*id).to_owned()).collect();
    (all.clone(), all)
}

async fn ended_instances_are_deleted_oldest_first(world: World) {
    drop(world.handle(&world.created("open")).await);
    for id in ["1", "2", "3"] {
        end(&world, id).await;
        world.advance(1);
    }
    world.advance(HOUR);
    end(&world, "young").await;
    assert_eq!(delete(&world, 2).await, 2);
    assert_eq!(left(&world).await, ids(&["3", "open", "young"]));
    assert_eq!(delete(&world, 2).await, 1);
    assert_eq!(delete(&world, 2).await, 0);
    assert_eq!(left(&world).await, ids(&["open", "young"]));
    world.advance(HOUR + 1);
    assert_eq!(delete(&world, 2).await, 1);
    assert_eq!(left(&world).await, ids(&["open"]));
}

async fn an_instance_that_somebody_has_to_look_at_stays(world: World) {
    for id in ["asked", "stuck"] {
        end(&world, id).await;
    }
    let stop = "UPDATE {p}sagas SET is_stuck = 1 WHERE id = 'stuck'";
    let mut tx = world.begin().await;
    let stop = sqlx::query(world.db.sql(stop)).execute(&mut *tx);
    stop.await.unwrap();
    tx.commit().await.unwrap();
    let id = SagaId("asked".to_owned());
    let instances = Instances::of(&world.db);
    let asked = instances.ask("place-order", &id, Operator::Retry).await;
    asked.unwrap();
    world.advance(HOUR + 1);
    assert_eq!(delete(&world, 10).await, 0);
    assert_eq!(left(&world).await, ids(&["asked", "stuck"]));
}
