//! The notification service: sends each mail of an order once, as far as mail allows.
//!
//! A row for each order and kind decides that a mail is wanted once. Sending it can't be part of
//! the row's transaction: if the process ends between the mail server's answer and the commit, the
//! mail is sent again, with the same `Message-ID`, by which a mail program drops the copy.
//!
//! | what comes | mail |
//! |---|---|
//! | `OrderCreated` | received |
//! | `OrderConfirmed` (choreographed), the command `SendEmail` (orchestrated) | confirmed |
//! | `ShippingScheduled` | shipped |
//! | `OrderCancelled` | cancelled |

mod mail;

use std::sync::Arc;

use axum::Router;
use stele_toolkit_bus::{Event, Failure, Outbox, Policy, Service, State};
use stele_toolkit_envelope::Envelope;
use stele_toolkit_sql::{
    Migration, Tx,
    sqlx::{self, Row as _},
};

use crate::{
    calls::Calls,
    messages::{
        ConfirmationSent, EmailSent, MailKind, OrderCancelled, OrderConfirmed, OrderCreated,
        SendEmail, ShippingScheduled,
    },
    process::{Failed, Process, pass_over},
    settings::{ServiceSettings, Style},
    topology::{NOTIFICATION, NOTIFICATION_COMMANDS},
};

use mail::{Mail, Mailing};

const MIGRATIONS: &[Migration] = &[Migration::portable(
    1,
    "CREATE TABLE mails (
        id TEXT PRIMARY KEY,
        order_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        state TEXT NOT NULL
    )",
)];

/// What the notification service is told.
#[derive(clap::Args, Clone, Debug)]
pub struct NotificationSettings {
    #[command(flatten)]
    pub service: ServiceSettings,

    /// The mail server: `HOST:PORT`
    #[arg(long)]
    pub smtp: String,
}

/// Runs the service until the process is asked to end.
pub async fn serve(settings: NotificationSettings) -> Result<(), Failed> {
    let mut process = Process::open(&settings.service, NOTIFICATION).await?;
    process.db.migrate("notification", MIGRATIONS).await?;
    let calls = Calls::open(&process, NOTIFICATION).await?;
    let mailing = Arc::new(Mailing::new(&settings.smtp)?);
    process.beside(calls.clone().run(mailing));
    let service = Service::new(NOTIFICATION)
        .policy(Policy::attempts(5))
        .on(on_created)
        .on(on_cancelled)
        .on(on_shipping)
        .state(calls);
    let service = match settings.service.style {
        Style::Choreographed => service.on(on_confirmed),
        // The orchestrator asks for this mail: it is a step of its plan.
        Style::Orchestrated => service
            .on(pass_over::<OrderConfirmed>)
            .on_queue(NOTIFICATION_COMMANDS, on_send),
    };
    process.run(vec![service], Router::new()).await
}

async fn on_created(
    Event(order): Event<OrderCreated>,
    cause: Envelope,
    mut tx: Tx,
    out: Outbox,
    State(calls): State<Calls>,
) -> Result<(), Failure> {
    let mail = Mail {
        order_id: order.order_id,
        kind: MailKind::Received,
        customer_name: order.customer_name,
        email: order.email,
        text: format!("We have your order over {} EUR.", order.total),
    };
    want(&mut tx, &out, &calls, mail, &cause).await
}

async fn on_confirmed(
    Event(order): Event<OrderConfirmed>,
    cause: Envelope,
    mut tx: Tx,
    out: Outbox,
    State(calls): State<Calls>,
) -> Result<(), Failure> {
    let mail = confirmed(order.order_id, order.customer_name, order.email);
    want(&mut tx, &out, &calls, mail, &cause).await
}

async fn on_send(
    Event(command): Event<SendEmail>,
    cause: Envelope,
    mut tx: Tx,
    out: Outbox,
    State(calls): State<Calls>,
) -> Result<(), Failure> {
    if command.kind != MailKind::Confirmed {
        let kind = command.kind;
        return Err(Failure::reject(format!("{kind} mails follow from events")));
    }
    let mail = confirmed(command.order_id, command.customer_name, command.email);
    want(&mut tx, &out, &calls, mail, &cause).await
}

fn confirmed(order_id: String, customer_name: String, email: String) -> Mail {
    Mail {
        order_id,
        kind: MailKind::Confirmed,
        customer_name,
        email,
        text: "Your order is confirmed and paid.".to_owned(),
    }
}

async fn on_shipping(
    Event(shipment): Event<ShippingScheduled>,
    cause: Envelope,
    mut tx: Tx,
    out: Outbox,
    State(calls): State<Calls>,
) -> Result<(), Failure> {
    let mail = Mail {
        order_id: shipment.order_id,
        kind: MailKind::Shipped,
        customer_name: shipment.customer_name,
        email: shipment.email,
        text: format!("Your parcel has the number {}.", shipment.tracking),
    };
    want(&mut tx, &out, &calls, mail, &cause).await
}

async fn on_cancelled(
    Event(order): Event<OrderCancelled>,
    cause: Envelope,
    mut tx: Tx,
    out: Outbox,
    State(calls): State<Calls>,
) -> Result<(), Failure> {
    let mail = Mail {
        order_id: order.order_id,
        kind: MailKind::Cancelled,
        customer_name: order.customer_name,
        email: order.email,
        text: format!("We are sorry: {}.", order.reason),
    };
    want(&mut tx, &out, &calls, mail, &cause).await
}

/// Has a mail sent, unless the order has had one of the kind.
async fn want(
    tx: &mut Tx,
    out: &Outbox,
    calls: &Calls,
    mail: Mail,
    cause: &Envelope,
) -> Result<(), Failure> {
    let insert = "INSERT INTO mails (id, order_id, kind, state) VALUES ($1, $2, $3, 'wanted')
        ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING state";
    let row = sqlx::query(insert)
        .bind(mail.id())
        .bind(mail.order_id.clone())
        .bind(mail.kind.name())
        .fetch_one(&mut **tx)
        .await?;
    let state: String = row.try_get(0)?;
    if state != "wanted" {
        // Whoever asks again didn't get the answer.
        out.publish(&EmailSent::from(&mail));
        if cause.is::<SendEmail>() {
            let order_id = mail.order_id;
            out.publish(&ConfirmationSent { order_id });
        }
        return Ok(());
    }
    let wanted = calls.want(tx, &mail.id(), &mail, cause).await;
    wanted.map_err(Failure::retry)
}
