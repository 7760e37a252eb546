use std::time::Duration;

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::{Context, Timestamp};
use stele_toolkit_saga::{
    Correlation, DecideError, Decision, Happened, MessageTypes, Next, Orchestrator, Process,
};

use crate::shop::{OrderCreated, Packed, Shop, StockCounted, until};

crate::home::claims! { crate::shop::Shop::new:
    instances_are_listed_and_shown;
    the_service_does_what_is_asked;
    without_the_service_a_request_stays_open;
    a_plan_is_drawn;
    what_nobody_leads_and_what_decides_freely_is_drawn;
}

async fn placed(shop: &Shop) {
    let order = OrderCreated {
        order: "o-1".to_owned(),
    };
    shop.publish(&order, "req-1").await;
    until(async || shop.json(&["saga", "list"]).len() == 1).await;
}

async fn instances_are_listed_and_shown(shop: Shop) {
    placed(&shop).await;
    let listed = shop
        .json(&["saga", "list", "--status", "running"])
        .remove(0);
    assert_eq!(listed["name"], "packing");
    assert_eq!(listed["id"], "req-1");
    assert!(shop.json(&["saga", "list", "--stuck"]).is_empty());
    assert!(shop.json(&["saga", "list", "--name", "other"]).is_empty());
    let table = shop.run(&["saga", "list"]).out;
    assert!(
        table.starts_with("SAGA     ID     VERSION  STATUS "),
        "{table}"
    );
    let shown = shop.run(&["saga", "show", "req-1"]).out;
    assert!(
        shown.contains("sent  action=do  attempt=1  step=pack"),
        "{shown}"
    );
    let shown = shop.json(&["saga", "show", "req-1", "--name", "packing"]);
    assert_eq!(shown[0]["state"]["data"], "o-1");
    assert_eq!(shop.run(&["saga", "show", "none"]).code, 3);
}

async fn the_service_does_what_is_asked(shop: Shop) {
    placed(&shop).await;
    let ask = |verb: &str| shop.run(&["saga", verb, "req-1", "--wait", "60"]);
    let retried = ask("retry");
    assert_eq!(retried.code, 0, "{}", retried.err);
    let sent = shop.run(&["saga", "show", "req-1"]).out;
    assert!(sent.contains("attempt=2"), "{sent}");
    let skipped = ask("skip");
    assert_eq!(skipped.code, 0, "{}", skipped.err);
    let listed = shop.json(&["saga", "list"]).remove(0);
    assert_eq!(listed["status"], "done");
    let refused = ask("compensate");
    assert_eq!(refused.code, 4);
    assert!(refused.err.contains("has ended"), "{}", refused.err);
}

async fn without_the_service_a_request_stays_open(mut shop: Shop) {
    placed(&shop).await;
    shop.stop().await;
    let open = shop.run(&["saga", "skip", "req-1", "--wait", "0"]);
    assert_eq!(open.code, 5);
    assert!(
        open.err
            .contains("no service that has version 1 of packing"),
        "{}",
        open.err
    );
}

async fn a_plan_is_drawn(shop: Shop) {
    let drawn = shop.run(&["graph"]).out;
    assert!(
        drawn.starts_with("%% packing, version 1\nflowchart LR\n"),
        "{drawn}"
    );
    assert!(drawn.contains("s0[\"pack\"]"), "{drawn}");
    assert_eq!(shop.run(&["graph", "other"]).code, 3);
}

/// Takes what it gets.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Counting;

impl Process for Counting {
    const NAME: &'static str = "counting";
    const VERSION: u32 = 2;

    fn messages(types: &mut MessageTypes) {
        types.start::<StockCounted>().take::<Packed>();
    }

    fn decide(
        _: Option<Self>,
        _: &Happened<'_>,
        _: Timestamp,
    ) -> Result<Decision<Self>, DecideError> {
        Ok(Decision::to(Self))
    }
}

async fn what_nobody_leads_and_what_decides_freely_is_drawn(shop: Shop) {
    let flow = Correlation::new("order-flow")
        .after::<OrderCreated>(Duration::from_secs(60), Next::is::<Packed>())
        .ends::<Packed>();
    let plans = Orchestrator::new(Context::new("view"));
    let plans = plans.correlation(flow).process::<Counting>();
    plans.migrate(&shop.db).await.unwrap();
    let drawn = shop.run(&["graph", "order-flow"]).out;
    let chart = "%% order-flow, version 1\nflowchart LR\n    \
                 OrderCreated -->|within 60s| Packed\n    Packed --> done\n";
    assert!(drawn.starts_with(chart), "{drawn}");
    let drawn = shop.run(&["graph", "counting"]).out;
    let chart = "%% counting, version 2\nflowchart LR\n    p[\"counting\"]\n    \
                 m0([\"StockCounted\"]) -->|begins| p\n    m1([\"Packed\"]) --> p\n";
    assert!(drawn.starts_with(chart), "{drawn}");
}
