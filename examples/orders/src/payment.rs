//! The payment service: charges orders at a provider, and pays back.
//!
//! | what comes | what happens |
//! |---|---|
//! | a charge | the provider is called: `PaymentProcessed`, `PaymentFailed` |
//! | the same again | the same answer, once there is one |
//! | a refund | the provider is called: `PaymentRefunded` |
//! | a refund before the charge | nothing is charged when the charge comes: `PaymentFailed` |
//! | a refund while the charge is under way | the provider pays back, or refuses the charge |
//!
//! Choreographed, `OrderCreated` is the charge and `InventoryRejected` the refund. Orchestrated,
//! they are the commands `ChargePayment` and `RefundPayment`.

mod charging;
mod provider;
mod rows;
mod webhook;

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::post};
use stele_toolkit_bus::{Event, Failure, Outbox, Policy, Service, State};
use stele_toolkit_envelope::Envelope;
use stele_toolkit_sql::Tx;

use crate::{
    calls::Calls,
    faults::{Guard, Guards},
    http::HttpClient,
    messages::{
        ChargePayment, InventoryRejected, OrderCreated, PaymentFailed, PaymentProcessed,
        PaymentRefunded, RefundPayment,
    },
    money::Cents,
    process::{Failed, Process},
    settings::{ServiceSettings, Style},
    topology::{PAYMENT, PAYMENT_COMMANDS},
};

use charging::{Charging, Order};
use provider::Provider;
use rows::Phase;

/// What the payment service is told.
#[derive(clap::Args, Clone, Debug)]
pub struct PaymentSettings {
    #[command(flatten)]
    pub service: ServiceSettings,

    /// The payment provider: `http://HOST:PORT`
    #[arg(long)]
    pub provider: String,

    /// How long the provider may take to answer, in milliseconds
    #[arg(long, default_value_t = 1000)]
    pub provider_timeout_ms: u64,

    /// Where the provider tells results: the address of this process, as the provider sees it
    #[arg(long)]
    pub callback: Option<String>,
}

/// What the handlers work with.
#[derive(Clone, Debug)]
struct Payments {
    calls: Calls,
    guards: Guards,
}

/// Runs the service until the process is asked to end.
pub async fn serve(settings: PaymentSettings) -> Result<(), Failed> {
    let mut process = Process::open(&settings.service, PAYMENT).await?;
    process.db.migrate("payment", rows::MIGRATIONS).await?;
    let calls = Calls::open(&process, PAYMENT).await?;
    let timeout = Duration::from_millis(settings.provider_timeout_ms);
    let provider = Provider {
        http: HttpClient::new(timeout),
        url: settings.provider,
        callback: settings.callback,
    };
    let charging = Arc::new(Charging { provider });
    process.beside(calls.clone().run(Arc::clone(&charging)));
    let hooks = webhook::Hooks {
        calls: calls.clone(),
        charging,
    };
    let router = Router::new()
        .route("/webhooks/charges", post(webhook::charge))
        .with_state(hooks);
    let guards = process.guards.clone();
    let service = service(settings.service.style).state(Payments { calls, guards });
    process.run(vec![service], router).await
}

fn service(style: Style) -> Service {
    let service = Service::new(PAYMENT).policy(Policy::attempts(5));
    match style {
        Style::Choreographed => service.on(on_created).on(on_rejected),
        Style::Orchestrated => service
            .on_queue(PAYMENT_COMMANDS, on_charge)
            .on_queue(PAYMENT_COMMANDS, on_refund),
    }
}

async fn on_created(
    Event(order): Event<OrderCreated>,
    cause: Envelope,
    mut tx: Tx,
    out: Outbox,
    State(payments): State<Payments>,
) -> Result<(), Failure> {
    let order = Order {
        order_id: order.order_id,
        amount: order.total,
        card: order.card,
    };
    charge(&mut tx, &out, &payments, order, &cause).await
}

async fn on_charge(
    Event(command): Event<ChargePayment>,
    cause: Envelope,
    mut tx: Tx,
    out: Outbox,
    State(payments): State<Payments>,
) -> Result<(), Failure> {
    let order = Order {
        order_id: command.order_id,
        amount: command.amount,
        card: command.card,
    };
    charge(&mut tx, &out, &payments, order, &cause).await
}

async fn on_rejected(
    Event(rejected): Event<InventoryRejected>,
    cause: Envelope,
    mut tx: Tx,
    out: Outbox,
    State(payments): State<Payments>,
) -> Result<(), Failure> {
    let order_id = rejected.order_id;
    refund(&mut tx, &out, &payments, order_id, &cause).await
}

async fn on_refund(
    Event(command): Event<RefundPayment>,
    cause: Envelope,
    mut tx: Tx,
    out: Outbox,
    State(payments): State<Payments>,
) -> Result<(), Failure> {
    let order_id = command.order_id;
    refund(&mut tx, &out, &payments, order_id, &cause).await
}

/// Has an order charged, once.
async fn charge(
    tx: &mut Tx,
    out: &Outbox,
    payments: &Payments,
    order: Order,
    cause: &Envelope,
) -> Result<(), Failure> {
    if rows::insert(tx, &order, Phase::Charging).await? {
        let id = charging::charge_id(&order.order_id);
        let wanted = payments.calls.want(tx, &id, &order, cause).await;
        return wanted.map_err(Failure::retry);
    }
    let known = rows::payment(tx, &order.order_id).await?;
    let (order_id, amount) = (order.order_id, known.amount);
    match known.phase {
        // Whoever asked first gets the answer, and so does everybody else.
        Phase::Charging => {}
        Phase::Processed => out.publish(&PaymentProcessed { order_id, amount }),
        Phase::Failed | Phase::Refunding | Phase::Refunded => {
            let reason = known.reason;
            out.publish(&PaymentFailed { order_id, reason });
        }
    }
    Ok(())
}

/// Has an order paid back, or not charged if it comes later.
async fn refund(
    tx: &mut Tx,
    out: &Outbox,
    payments: &Payments,
    order_id: String,
    cause: &Envelope,
) -> Result<(), Failure> {
    let unknown = Order {
        order_id: order_id.clone(),
        amount: Cents(0),
        card: String::new(),
    };
    let amount = Cents(0);
    if !payments.guards.has(Guard::Tombstone) && !rows::is_known(tx, &order_id).await? {
        // What comes later isn't refused.
        out.publish(&PaymentRefunded { order_id, amount });
        return Ok(());
    }
    if rows::insert(tx, &unknown, Phase::Refunded).await? {
        rows::note(tx, &order_id, Phase::Refunded, charging::GIVEN_UP).await?;
        out.publish(&PaymentRefunded { order_id, amount });
        return Ok(());
    }
    let known = rows::payment(tx, &order_id).await?;
    match known.phase {
        Phase::Charging | Phase::Processed | Phase::Refunding => {
            rows::note(tx, &order_id, Phase::Refunding, charging::GIVEN_UP).await?;
            let charge = payments
                .calls
                .forget(tx, &charging::charge_id(&order_id))
                .await;
            charge.map_err(Failure::retry)?;
            let id = charging::refund_id(&order_id);
            let order = Order {
                order_id,
                amount: known.amount,
                card: String::new(),
            };
            let wanted = payments.calls.want(tx, &id, &order, cause).await;
            wanted.map_err(Failure::retry)?;
        }
        Phase::Failed => out.publish(&PaymentRefunded { order_id, amount }),
        Phase::Refunded => {
            let amount = known.refunded;
            out.publish(&PaymentRefunded { order_id, amount });
        }
    }
    Ok(())
}
