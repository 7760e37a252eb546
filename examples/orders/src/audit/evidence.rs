//! Everything that is known about a shop, from outside.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::{
    Failed,
    read::{self, Database, get, number, text},
};

/// The databases.
const DATABASES: [&str; 7] = [
    "order",
    "timeline",
    "inventory",
    "payment",
    "shipping",
    "notification",
    "analytics",
];

/// Everything that is known. Amounts are in cents.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// What customers sent, and the order's id if they were told one.
    pub(super) placed: Vec<Placed>,
    /// What chaos did.
    pub(super) chaos: Vec<Value>,
    /// The orders by their ids, from their events.
    pub(super) orders: BTreeMap<String, Order>,
    /// The order of each `Idempotency-Key`.
    pub(super) requests: BTreeMap<String, String>,
    /// Rows of the read model.
    pub(super) summaries: Vec<Summary>,
    /// What services told about each order.
    pub(super) timelines: BTreeMap<String, Vec<Told>>,
    /// SKU, start, free, reserved, sold.
    pub(super) stock: Vec<(String, [i64; 4])>,
    /// Order, SKU, quantity, state.
    pub(super) reservations: Vec<(String, String, i64, String)>,
    /// The provider's ledger: order, what was taken and not paid back.
    pub(super) charges: Vec<(String, i64)>,
    /// What the payment service's books say of each order.
    pub(super) books: BTreeMap<String, i64>,
    /// Placed, sold, revenue, as the analytics service counted them.
    pub(super) sales: [i64; 3],
    /// The orders of shipments.
    pub(super) shipments: Vec<String>,
    /// How often the mail server got each `Message-ID`.
    pub(super) mails: BTreeMap<String, usize>,
    /// Dead messages.
    pub(super) dead: Vec<Dead>,
    /// What still waits, with how many there are of it.
    pub(super) waiting: Vec<(String, i64)>,
    /// Lines of logs that were written while a message was handled.
    pub(super) log_lines: Vec<String>,
}

/// What a customer sent.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) key: String,
    pub(super) kind: String,
    pub(super) total: i64,
    pub(super) order_id: Option<String>,
}

/// An order, from its events.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    pub(super) total: i64,
    pub(super) customer_name: String,
    pub(super) customer_id: String,
    /// On which it was placed.
    pub(super) day: i64,
    /// SKU and quantity.
    pub(super) items: Vec<(String, i64)>,
    pub(super) confirmed: usize,
    pub(super) cancelled: usize,
}

/// A row of the read model, as it stands there or as the events give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) id: String,
    pub(super) customer_name: String,
    pub(super) customer_id: String,
    pub(super) total: i64,
    pub(super) status: String,
    /// On which it was placed, counted from the beginning of 1970 (UTC).
    pub(super) day: i64,
}

/// What a service told about an order.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) message_type: String,
    pub(super) correlation_id: String,
    pub(super) trace_id: String,
    pub(super) sequence: i64,
    pub(super) data: Value,
}

/// A dead message.
#[derive(Clone, Debug)]
pub(super) struct Dead {
    pub(super) service: String,
    pub(super) body: String,
    pub(super) attempts: i64,
    pub(super) reason: String,
}

impl Order {
    /// Its end, as the read model calls it.
    pub(super) fn status(&self) -> &'static str {
        match (self.confirmed, self.cancelled) {
            (0, 0) => "created",
            (_, 0) => "confirmed",
            _ => "cancelled",
        }
    }

    pub(super) fn is_confirmed(&self) -> bool {
        self.status() == "confirmed"
    }
}

impl Evidence {
    /// Reads everything.
    pub(super) async fn read(dir: &Path) -> Result<Self, Failed> {
        let file = tokio::fs::read(dir.join("addresses.json")).await?;
        let addresses: Value = serde_json::from_slice(&file)?;
        let placed = read::lines(&dir.join("load.jsonl")).await?;
        let mut evidence = Self {
            placed: placed.iter().map(of_customer).collect(),
            chaos: read::lines(&dir.join("chaos.jsonl")).await?,
            ..Self::default()
        };
        for service in DATABASES {
            let url = text(&addresses["databases"], service);
            let mut db = Database::open(&url).await?;
            evidence.toolkit(service, &mut db).await?;
            match service {
                "order" => evidence.order(&mut db).await?,
                "timeline" => evidence.timeline(&mut db).await?,
                "inventory" => evidence.inventory(&mut db).await?,
                "payment" => evidence.payment(&mut db).await?,
                "shipping" => {
                    let query = "SELECT order_id FROM shipments";
                    evidence.shipments = db.rows(query, |row| row.text(0)).await?;
                }
                "notification" => evidence.calls(&mut db).await?,
                _ => evidence.analytics(&mut db).await?,
            }
            db.close().await?;
        }
        for charge in list(&get(&text(&addresses, "provider"), "/ledger").await?) {
            let live = match text(charge, "state").as_str() {
                "captured" | "refunded" => number(charge, "amount") - number(charge, "refunded"),
                _ => 0,
            };
            evidence.charges.push((text(charge, "key"), live));
        }
        for mail in list(&get(&text(&addresses, "sink"), "/mails").await?) {
            *evidence.mails.entry(text(mail, "messageId")).or_default() += 1;
        }
        evidence.logs(dir).await?;
        Ok(evidence)
    }

    /// What every service keeps: dead messages, and what waits.
    async fn toolkit(&mut self, service: &str, db: &mut Database) -> Result<(), Failed> {
        let query = "SELECT service, body, attempts, COALESCE(story, '') FROM stele_parked
            WHERE is_dead = 1";
        let dead = db.rows(query, |row| {
            Ok(Dead {
                service: row.text(0)?,
                body: String::from_utf8_lossy(&row.bytes(1)?).into_owned(),
                attempts: row.number(2)?,
                reason: row.text(3)?,
            })
        });
        self.dead.extend(dead.await?);
        for table in [
            "stele_outbox",
            "stele_refused",
            "stele_parked WHERE is_dead = 0",
        ] {
            self.waiting
                .push((format!("{service}: {table}"), db.count(table).await?));
        }
        Ok(())
    }

    async fn order(&mut self, db: &mut Database) -> Result<(), Failed> {
        let query =
            "SELECT stream, event, recorded_at FROM stele_events WHERE stream LIKE 'Order/%'
            ORDER BY stream, version";
        let events = db.rows(query, |row| {
            Ok((row.text(0)?, row.json(1)?, row.number(2)?))
        });
        for (stream, event, time) in events.await? {
            let id = stream.trim_start_matches("Order/").to_owned();
            note_event(self.orders.entry(id).or_default(), &event, time);
        }
        let query = "SELECT idempotency_key, order_id FROM order_requests";
        let requests = db.rows(query, |row| Ok((row.text(0)?, row.text(1)?)));
        self.requests = requests.await?.into_iter().collect();
        let query = "SELECT id, customer_name, customer_id, total, status, day
            FROM order_summaries ORDER BY id";
        let summaries = db.rows(query, |row| {
            Ok(Summary {
                id: row.text(0)?,
                customer_name: row.text(1)?,
                customer_id: row.text(2)?,
                total: row.number(3)?,
                status: row.text(4)?,
                day: row.number(5)?,
            })
        });
        self.summaries = summaries.await?;
        let tables = "SELECT COUNT(*) FROM order_requests WHERE position = ''";
        let unfinished = db.rows(tables, |row| row.number(0)).await?;
        let unfinished = unfinished.first().copied().unwrap_or_default();
        self.waiting
            .push(("requests without an order".to_owned(), unfinished));
        Ok(())
    }

    async fn timeline(&mut self, db: &mut Database) -> Result<(), Failed> {
        let query = "SELECT order_id, type, correlation_id, trace_id, sequence, data FROM timeline
            ORDER BY order_id, at, message_id";
        let told = db.rows(query, |row| {
            let told = Told {
                message_type: row.text(1)?,
                correlation_id: row.text(2)?,
                trace_id: row.text(3)?,
                sequence: row.number(4)?,
                data: row.json(5)?,
            };
            Ok((row.text(0)?, told))
        });
        for (order, told) in told.await? {
            self.timelines.entry(order).or_default().push(told);
        }
        Ok(())
    }

    async fn inventory(&mut self, db: &mut Database) -> Result<(), Failed> {
        let query = "SELECT sku, start, free, reserved, sold FROM stock";
        let stock = db.rows(query, |row| {
            let numbers = [
                row.number(1)?,
                row.number(2)?,
                row.number(3)?,
                row.number(4)?,
            ];
            Ok((row.text(0)?, numbers))
        });
        self.stock = stock.await?;
        let query = "SELECT order_id, sku, quantity, state FROM reservations";
        let reservations = db.rows(query, |row| {
            Ok((row.text(0)?, row.text(1)?, row.number(2)?, row.text(3)?))
        });
        self.reservations = reservations.await?;
        Ok(())
    }

    async fn payment(&mut self, db: &mut Database) -> Result<(), Failed> {
        let query = "SELECT order_id, CAST(SUM(cents) AS BIGINT) FROM books GROUP BY order_id";
        let books = db.rows(query, |row| Ok((row.text(0)?, row.number(1)?)));
        self.books = books.await?.into_iter().collect();
        self.calls(db).await
    }

    async fn calls(&mut self, db: &mut Database) -> Result<(), Failed> {
        self.waiting
            .push(("calls".to_owned(), db.count("calls").await?));
        Ok(())
    }

    async fn analytics(&mut self, db: &mut Database) -> Result<(), Failed> {
        let query = "SELECT placed, sold, revenue FROM sales";
        let days = db.rows(query, |row| {
            Ok([row.number(0)?, row.number(1)?, row.number(2)?])
        });
        for day in days.await? {
            for (sum, count) in self.sales.iter_mut().zip(day) {
                *sum += count;
            }
        }
        Ok(())
    }

    async fn logs(&mut self, dir: &Path) -> Result<(), Failed> {
        for service in DATABASES.iter().filter(|name| **name != "timeline") {
            let file = dir.join("logs").join(format!("{service}.log"));
            let log = tokio::fs::read(file).await?;
            let log = String::from_utf8_lossy(&log);
            let of_messages = log.lines().filter(|line| line.contains(" message{"));
            self.log_lines.extend(of_messages.map(str::to_owned));
        }
        Ok(())
    }
}

fn of_customer(line: &Value) -> Placed {
    Placed {
        key: text(line, "key"),
        kind: text(line, "kind"),
        total: number(line, "total"),
        order_id: line["orderId"].as_str().map(str::to_owned),
    }
}

const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

fn note_event(order: &mut Order, event: &Value, time: i64) {
    let data = &event["data"];
    match text(event, "type").as_str() {
        "OrderCreated" => {
            order.total = number(data, "total");
            order.customer_name = text(data, "customerName");
            order.customer_id = text(data, "customerId");
            order.day = time.div_euclid(DAY_MICROS);
            let item = |item: &Value| (text(item, "sku"), number(item, "quantity"));
            order.items = list(&data["items"]).iter().map(item).collect();
        }
        "OrderConfirmed" => order.confirmed += 1,
        "OrderCancelled" => order.cancelled += 1,
        _ => {}
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
