//! The two sides of orders: commands, a table, queries.

use std::{sync::Arc, time::Duration};

use stele_toolkit_es::{
    CommandError, Commands, ExecuteError, Position, Queries, QueryError, projection::Step,
};
use stele_toolkit_sql::Dialect;
use stele_toolkit_test::projection;
use tokio::sync::oneshot;

use crate::{
    commands::{CancelOrder, CreateOrder, UpdateOrder},
    order::{OrderCancelled, OrderCreated, OrderEvent, OrderRefusal, OrderUpdated},
    projection::OrderProjection,
    queries::{OrderSummary, OrderSummaryById, OrdersOfCustomer, Revenue},
    world::{World, context, patiently},
};

crate::home::claims! { crate::world::World::new:
    a_command_is_read_after_its_projection_has_seen_it;
    a_query_says_in_time_that_it_is_behind;
    a_refused_command_changes_nothing;
    a_running_projection_is_woken_by_commands;
    events_of_other_processes_are_found;
    types_without_a_handler_are_errors;
}

fn summary(id: &str, total_cents: i64, status: &str) -> OrderSummary {
    OrderSummary {
        id: id.to_owned(),
        customer_name: "Ada".to_owned(),
        total_cents,
        status: status.to_owned(),
    }
}

async fn a_command_is_read_after_its_projection_has_seen_it(world: World) {
    let mut runner = world.runner(OrderProjection).await;
    let first = world.create("order-123", 9_999).await;
    world.catch_up(&mut runner, &first).await.unwrap();
    let second = world.create("order-124", 100).await;
    let by_id = |id: &str| OrderSummaryById(id.to_owned());
    let ask = |id: &str| world.queries.ask(by_id(id));
    assert_eq!(
        ask("order-123").await.unwrap(),
        Some(summary("order-123", 9_999, "created"))
    );
    assert_eq!(
        ask("order-124").await.unwrap(),
        None,
        "the projection hasn't seen it"
    );

    world.catch_up(&mut runner, &second).await.unwrap();
    let in_time = world.queries.after(second, Duration::from_millis(500));
    let found = in_time.ask(by_id("order-124")).await.unwrap();
    assert_eq!(found, Some(summary("order-124", 100, "created")));

    let (order_id, total_cents) = ("order-123".to_owned(), 8_999);
    let update = UpdateOrder {
        order_id: order_id.clone(),
        total_cents,
    };
    world.commands.handle(update, &context()).await.unwrap();
    let cancel = CancelOrder {
        order_id: "order-124".to_owned(),
        reason: "late".to_owned(),
    };
    let last = world.commands.handle(cancel, &context()).await.unwrap();
    world.catch_up(&mut runner, &last).await.unwrap();
    let all = world
        .queries
        .ask(OrdersOfCustomer("Ada".to_owned()))
        .await
        .unwrap();
    let expected = [
        summary("order-123", 8_999, "updated"),
        summary("order-124", 100, "cancelled"),
    ];
    assert_eq!(all, expected);
    assert_eq!(world.queries.ask(Revenue).await.unwrap(), 8_999);
}

async fn a_query_says_in_time_that_it_is_behind(world: World) {
    let mut runner = world.runner(OrderProjection).await;
    let seen = world.create("order-1", 100).await;
    world.catch_up(&mut runner, &seen).await.unwrap();
    let wanted = world.create("order-2", 100).await;
    let after = world
        .queries
        .after(wanted.clone(), Duration::from_millis(500));
    let asking = after.ask(OrderSummaryById("order-2".to_owned()));
    // Nobody runs the projection; the time passes.
    let passing = async {
        loop {
            tokio::task::yield_now().await;
            world.clock.advance(Duration::from_millis(5));
        }
    };
    let start = world.db.now();
    let answer = tokio::select! {
        answer = patiently(asking) => answer,
        () = passing => unreachable!(),
    };
    assert!(world.db.now().since(start) >= Duration::from_millis(500));
    match answer {
        Err(QueryError::Behind {
            projection,
            at,
            wanted: told,
        }) => {
            assert_eq!((projection, told), ("order_summaries", wanted));
            assert_eq!(at, seen);
        }
        other => panic!("{other:?}"),
    }
}

async fn a_refused_command_changes_nothing(world: World) {
    let mut runner = world.runner(OrderProjection).await;
    let first = world.create("order-1", 100).await;
    let cancel = || CancelOrder {
        order_id: "order-1".to_owned(),
        reason: "late".to_owned(),
    };
    let cancelled = world.commands.handle(cancel(), &context()).await.unwrap();
    assert!(first < cancelled);
    let again = world.commands.handle(cancel(), &context()).await.unwrap();
    assert_eq!(again, Position::Start, "nothing happened");
    let update = UpdateOrder {
        order_id: "order-1".to_owned(),
        total_cents: 5,
    };
    let refused = world.commands.handle(update, &context()).await;
    assert!(matches!(
        refused,
        Err(CommandError::Handler(ExecuteError::Refused(
            OrderRefusal::Cancelled
        )))
    ));
    world.catch_up(&mut runner, &cancelled).await.unwrap();
    let found = world
        .queries
        .ask(OrderSummaryById("order-1".to_owned()))
        .await
        .unwrap();
    assert_eq!(found, Some(summary("order-1", 100, "cancelled")));
    assert_eq!(runner.step().await.unwrap(), Step::Idle);
}

async fn a_running_projection_is_woken_by_commands(world: World) {
    let (stop, stopped) = oneshot::channel::<()>();
    let runner = world.runner(OrderProjection).await;
    let running = tokio::spawn(runner.run(async {
        stopped.await.ok();
    }));
    // On SQLite the clock stands still, so that only the command can wake it.
    patiently(async {
        for number in 0..20 {
            let id = format!("order-{number}");
            let written = world.create(&id, 100).await;
            let own = loop {
                let now = world.queries.after(written.clone(), Duration::ZERO);
                match now.ask(OrderSummaryById(id.clone())).await {
                    Ok(own) => break own,
                    Err(QueryError::Behind { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
                tokio::task::yield_now().await;
                // Another test's transaction may hide the event when it wakes.
                if world.db.dialect() == Dialect::Postgres {
                    world.clock.advance(Duration::from_millis(5));
                }
            };
            assert_eq!(own, Some(summary(&id, 100, "created")));
        }
    })
    .await;
    drop(stop);
    patiently(running).await.unwrap().unwrap();
}

async fn events_of_other_processes_are_found(world: World) {
    let other = Arc::new(
        stele_toolkit_es::SqlStore::open(world.other_process().await)
            .await
            .unwrap(),
    );
    let (stop, stopped) = oneshot::channel::<()>();
    let runner = stele_toolkit_es::Runner::open(world.db.clone(), other, OrderProjection);
    let running = tokio::spawn(runner.await.unwrap().run(async {
        stopped.await.ok();
    }));
    // Its store doesn't hear of this append: it polls.
    let written = world.create("order-1", 100).await;
    let in_time = world.queries.after(written, Duration::from_secs(3600));
    let asking = in_time.ask(OrderSummaryById("order-1".to_owned()));
    let passing = async {
        loop {
            tokio::task::yield_now().await;
            world.clock.advance(Duration::from_millis(1));
        }
    };
    let own = tokio::select! {
        own = patiently(asking) => own.unwrap(),
        () = passing => unreachable!(),
    };
    assert_eq!(own, Some(summary("order-1", 100, "created")));
    drop(stop);
    patiently(running).await.unwrap().unwrap();
}

async fn types_without_a_handler_are_errors(world: World) {
    let command = CreateOrder {
        order_id: "order-1".to_owned(),
        customer_name: "Ada".to_owned(),
        total_cents: 1,
    };
    let failed = Commands::new()
        .handle(command, &context())
        .await
        .unwrap_err();
    assert!(matches!(failed, CommandError::NoHandler(name) if name.ends_with("CreateOrder")));
    let failed = Queries::new(world.db.clone())
        .ask(Revenue)
        .await
        .unwrap_err();
    assert!(matches!(failed, QueryError::NoHandler(name) if name.ends_with("Revenue")));
}

fn created(id: &str) -> OrderEvent {
    OrderCreated {
        order_id: id.to_owned(),
        customer_name: "Ada".to_owned(),
        total_cents: 9_999,
    }
    .into()
}

#[tokio::test]
async fn given_events_then_rows() {
    let updated = OrderUpdated {
        order_id: "order-1".to_owned(),
        total_cents: 8_999,
    };
    let cancelled = OrderCancelled {
        order_id: "order-2".to_owned(),
        reason: "late".to_owned(),
    };
    projection::given(OrderProjection)
        .events::<OrderEvent>("Order/order-1", [created("order-1"), updated.into()])
        .events::<OrderEvent>("Order/order-2", [created("order-2"), cancelled.into()])
        .then_rows(
            "SELECT id, customer_name, total, status FROM order_summaries ORDER BY id",
            &[
                &["order-1", "Ada", "8999", "updated"],
                &["order-2", "Ada", "9999", "cancelled"],
            ],
        )
        .await
        .then_rebuilt_is_the_same()
        .await;
}

#[tokio::test]
#[should_panic(expected = "other rows are there")]
async fn then_rows_fails_for_other_rows() {
    projection::given(OrderProjection)
        .events::<OrderEvent>("Order/order-1", [created("order-1")])
        .then_rows("SELECT id FROM order_summaries", &[&["order-2"]])
        .await;
}
