//! The six combinations of protocol and style, as real processes over a Stele: some orders of each
//! kind are placed, and what the services, the provider and the mail server know in the end has to
//! agree.

#![allow(clippy::unwrap_used, reason = "functions that tests are made of")]

mod chaos;
mod guards;
#[path = "../../../../crates/toolkit/sql/tests/support/home.rs"]
mod home;
mod shop;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use orders::{
    analytics::Sales,
    inventory::Stock,
    messages::Item,
    money::Cents,
    order::{Accepted, Entry, NewOrder, OrderSummary, View},
    provider::{Charge, cards},
    shipping::Shipment,
    sink::Received,
};

use home::Home;
use shop::{Shop, eventually};

/// How many orders of each kind are placed.
const ORDERS_OF_EACH: usize = 2;

/// What is ordered, paid by which card, and how it ends.
struct Kind {
    name: &'static str,
    sku: &'static str,
    card: &'static str,
    ends: &'static str,
}

const fn kind(
    name: &'static str,
    sku: &'static str,
    card: &'static str,
    ends: &'static str,
) -> Kind {
    Kind {
        name,
        sku,
        card,
        ends,
    }
}

static KINDS: [Kind; 7] = [
    kind("good", "teapot", cards::APPROVED, "confirmed"),
    kind("out of stock", "kettle", cards::APPROVED, "cancelled"),
    kind("declined", "cup", cards::DECLINED, "cancelled"),
    kind("failing twice", "cup", cards::FAILS_TWICE, "confirmed"),
    kind("hanging", "teapot", cards::HANGS, "confirmed"),
    kind(
        "answered twice",
        "teapot",
        cards::ANSWERS_TWICE,
        "confirmed",
    ),
    kind("slow", "teapot", cards::SLOW, "confirmed"),
];

/// An order that was accepted.
struct Placed {
    id: String,
    kind: &'static Kind,
    total: Cents,
}

macro_rules! combinations {
    ($($name:ident: $protocol:literal $style:literal;)*) => {$(
        #[tokio::test]
        async fn $name() {
            check($protocol, $style).await;
        }
    )*};
}

combinations! {
    choreographed_over_kafka: "kafka" "choreographed";
    choreographed_over_amqp: "amqp" "choreographed";
    choreographed_over_sqs: "sqs" "choreographed";
    orchestrated_over_kafka: "kafka" "orchestrated";
    orchestrated_over_amqp: "amqp" "orchestrated";
    orchestrated_over_sqs: "sqs" "orchestrated";
}

#[tokio::test]
async fn with_a_postgresql_database_for_each_service() {
    let home = Home::postgres().await;
    let (_, socket) = home.url().split_once("host=").unwrap();
    let (socket, _) = socket.split_once('&').unwrap();
    let server = format!("postgres://postgres@{}", socket.replace('/', "%2F"));
    let shop = Shop::open_with("kafka", "orchestrated", &["--postgres", &server]).await;
    shop.succeed("load", &["--orders=60", "--rate=30"]).await;
    shop.succeed("audit", &[]).await;
    shop.close().await;
}

async fn check(protocol: &str, style: &str) {
    let shop = Shop::open(protocol, style).await;
    let placed = place(&shop).await;
    for order in &placed {
        let ended = || ends(&shop, order);
        eventually(order.kind.name, ended).await;
    }
    eventually("the stock", || stock_agrees(&shop, &placed)).await;
    eventually("the ledger", || ledger_agrees(&shop, &placed)).await;
    eventually("the sales", || sales_agree(&shop, &placed)).await;
    eventually("the shipments", || shipments_agree(&shop, &placed)).await;
    eventually("the mails", || mails_agree(&shop, &placed)).await;
    eventually("the read model", || summaries_agree(&shop, &placed)).await;
    for order in &placed {
        eventually("the timeline", || timeline_is_whole(&shop, order, style)).await;
    }
    shop.close().await;
}

async fn place(shop: &Shop) -> Vec<Placed> {
    let mut placed = Vec::new();
    for number in 0..ORDERS_OF_EACH {
        for kind in &KINDS {
            let price = Cents(1_000 + i64::try_from(number).unwrap());
            let order = NewOrder {
                customer_id: "cust-456".to_owned(),
                customer_name: format!("Ada {number}"),
                email: "ada@shop.example".to_owned(),
                items: vec![Item {
                    sku: kind.sku.to_owned(),
                    quantity: 2,
                    price,
                }],
                card: kind.card.to_owned(),
            };
            let accepted: Accepted = shop.post("/orders", &order).await;
            placed.push(Placed {
                id: accepted.order_id,
                kind,
                total: price + price,
            });
        }
    }
    placed
}

async fn ends(shop: &Shop, order: &Placed) -> Result<(), String> {
    let view: View = shop.read_order(&format!("/orders/{}", order.id)).await?;
    let status = serde_json::to_value(view.status).unwrap();
    agree("status", &status, &order.kind.ends.into())
}

/// Everything is free or sold, and what is sold belongs to confirmed orders.
async fn stock_agrees(shop: &Shop, placed: &[Placed]) -> Result<(), String> {
    let stock: Vec<Stock> = shop.read(shop.addresses.inventory, "/stock").await?;
    for article in stock {
        let of_article = confirmed(placed).filter(|order| order.kind.sku == article.sku);
        let sold = i64::try_from(of_article.count() * 2).unwrap();
        let expected = Stock {
            free: article.start - sold,
            reserved: 0,
            sold,
            ..article.clone()
        };
        agree("article", &article, &expected)?;
    }
    Ok(())
}

/// Each confirmed order is paid once, to the cent, and no other.
async fn ledger_agrees(shop: &Shop, placed: &[Placed]) -> Result<(), String> {
    let charges: Vec<Charge> = shop.read(shop.addresses.provider, "/ledger").await?;
    let paid = |charge: &Charge| Cents(charge.amount.0 - charge.refunded.0);
    let mut live: BTreeMap<String, Vec<Cents>> = BTreeMap::new();
    for charge in charges.iter().filter(|charge| charge.state == "captured") {
        let of_order = live.entry(charge.order_id.clone()).or_default();
        of_order.push(paid(charge));
    }
    let expected = confirmed(placed).map(|order| (order.id.clone(), vec![order.total]));
    agree("live charges", &live, &expected.collect())?;
    for charge in charges.iter().filter(|charge| charge.state == "refunded") {
        agree("what stays of a refunded charge", &paid(charge), &Cents(0))?;
    }
    Ok(())
}

/// Each order is counted once, and so is each that was confirmed.
async fn sales_agree(shop: &Shop, placed: &[Placed]) -> Result<(), String> {
    let sales: Vec<Sales> = shop.read(shop.addresses.analytics, "/sales").await?;
    let orders = |count: usize| i64::try_from(count).unwrap();
    let sum = |of: fn(&Sales) -> i64| sales.iter().map(of).sum::<i64>();
    let found = (
        sum(|day| day.placed),
        sum(|day| day.sold),
        sum(|day| day.revenue.0),
    );
    let expected = (
        orders(placed.len()),
        orders(confirmed(placed).count()),
        confirmed(placed).map(|order| order.total.0).sum(),
    );
    agree("sales", &found, &expected)
}

async fn shipments_agree(shop: &Shop, placed: &[Placed]) -> Result<(), String> {
    let shipments: Vec<Shipment> = shop.read(shop.addresses.shipping, "/shipments").await?;
    let shipped: BTreeSet<_> = shipments.iter().map(|it| it.order_id.clone()).collect();
    let expected = confirmed(placed).map(|order| order.id.clone());
    agree("shipments", &shipped, &expected.collect())
}

/// Each order has its mails, each once.
async fn mails_agree(shop: &Shop, placed: &[Placed]) -> Result<(), String> {
    let mails: Vec<Received> = shop.read(shop.addresses.sink, "/mails").await?;
    let mut ids: Vec<_> = mails.into_iter().map(|mail| mail.message_id).collect();
    ids.sort();
    let of_order = |order: &Placed| match order.kind.ends {
        "confirmed" => vec!["received", "confirmed", "shipped"],
        _ => vec!["received", "cancelled"],
    };
    let mut expected = Vec::new();
    for order in placed {
        for kind in of_order(order) {
            expected.push(format!("<{}.{kind}@shop.example>", order.id));
        }
    }
    expected.sort();
    agree("mails", &ids, &expected)
}

async fn summaries_agree(shop: &Shop, placed: &[Placed]) -> Result<(), String> {
    let found: Vec<OrderSummary> = shop.read_order("/orders?customer=cust-456").await?;
    let row = |it: OrderSummary| (it.id, it.status, it.total);
    let found: BTreeSet<_> = found.into_iter().map(row).collect();
    let expected = placed
        .iter()
        .map(|order| (order.id.clone(), order.kind.ends.to_owned(), order.total));
    agree("summaries", &found, &expected.collect())
}

/// What was told about an order is there, and all of it belongs to the same request.
async fn timeline_is_whole(shop: &Shop, order: &Placed, style: &str) -> Result<(), String> {
    let path = format!("/orders/{}/timeline", order.id);
    let entries: Vec<Entry> = shop.read_order(&path).await?;
    let told: BTreeSet<_> = entries.iter().map(|it| it.message_type.as_str()).collect();
    let expected: &[&str] = match (order.kind.name, order.kind.ends, style) {
        (_, "confirmed", _) => &[
            "OrderCreated",
            "InventoryReserved",
            "PaymentProcessed",
            "OrderConfirmed",
            "ShippingScheduled",
        ],
        ("declined", ..) => &[
            "OrderCreated",
            "PaymentFailed",
            "InventoryReleased",
            "OrderCancelled",
        ],
        // Only where payment doesn't wait for the stock there is something to pay back.
        (_, _, "choreographed") => &["InventoryRejected", "PaymentRefunded", "OrderCancelled"],
        _ => &["InventoryRejected", "OrderCancelled"],
    };
    for event in expected.iter().chain(&["EmailSent"]) {
        if !told.contains(event) {
            return Err(format!("{} lacks {event}: {told:?}", order.kind.name));
        }
    }
    let requests: BTreeSet<_> = entries.iter().map(|it| &it.correlation_id).collect();
    agree("requests", &requests.len(), &1)
}

fn confirmed(placed: &[Placed]) -> impl Iterator<Item = &Placed> {
    placed.iter().filter(|order| order.kind.ends == "confirmed")
}

fn agree<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{what}: {found:?}, not {expected:?}")),
    }
}

/// Long enough for a machine that is busy with other tests.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);
