//! The inventory service: sets aside what orders need.
//!
//! | what comes | what happens |
//! |---|---|
//! | a reservation | all of it is set aside, or nothing: `InventoryReserved`, `InventoryRejected` |
//! | the same again | the same answer |
//! | a release | what was set aside is free: `InventoryReleased` |
//! | a release before the reservation | the reservation is refused when it comes |
//! | `OrderConfirmed` | what was set aside is sold |
//!
//! Choreographed, `OrderCreated` is the reservation and `PaymentFailed` the release. Orchestrated,
//! they are the commands `ReserveInventory` and `ReleaseInventory`.

mod stock;

use axum::{Json, Router, extract::State as AppState, routing::get};
use stele_toolkit_bus::{Event, Failure, Outbox, Policy, Service, State};
use stele_toolkit_saga::{ActionId, Begun, Cancelled, Participant};
use stele_toolkit_sql::{Db, Tx};

use crate::{
    faults::{Guard, Guards},
    messages::{
        InventoryRejected, InventoryReleased, InventoryReserved, Item, OrderCancelled,
        OrderConfirmed, OrderCreated, PaymentFailed, ReleaseInventory, ReserveInventory,
    },
    problem::Problem,
    process::{Failed, Process, pass_over},
    settings::{ServiceSettings, Style},
    topology::{INVENTORY, INVENTORY_COMMANDS},
};

pub use stock::Stock;

/// What the shop has at the beginning.
#[derive(clap::Args, Clone, Debug)]
pub struct InventorySettings {
    #[command(flatten)]
    pub service: ServiceSettings,

    /// What there is at the first start, as `SKU=PIECES`
    #[arg(long = "stock", value_delimiter = ',', value_parser = stock::parse,
          default_values = ["teapot=1000000", "cup=1000000", "lamp=20", "kettle=0"])]
    pub stock: Vec<(String, i64)>,
}

/// Runs the service until the process is asked to end.
pub async fn serve(settings: InventorySettings) -> Result<(), Failed> {
    let process = Process::open(&settings.service, INVENTORY).await?;
    stock::open(&process.db, &settings.stock).await?;
    Participant.migrate(&process.db).await?;
    let router = Router::new()
        .route("/stock", get(show))
        .with_state(process.db.clone());
    let service = service(settings.service.style).state(process.guards.clone());
    process.run(vec![service], router).await
}

fn service(style: Style) -> Service {
    let service = Service::new(INVENTORY)
        .policy(Policy::attempts(5))
        .on(sell)
        .on(pass_over::<OrderCancelled>);
    match style {
        Style::Choreographed => service.on(on_created).on(on_failed),
        Style::Orchestrated => service
            .on_queue(INVENTORY_COMMANDS, on_reserve)
            .on_queue(INVENTORY_COMMANDS, on_release),
    }
}

async fn on_created(
    Event(order): Event<OrderCreated>,
    mut tx: Tx,
    out: Outbox,
) -> Result<(), Failure> {
    reserve(&mut tx, &out, &order.order_id, &order.items).await
}

async fn on_reserve(
    Event(command): Event<ReserveInventory>,
    mut tx: Tx,
    out: Outbox,
) -> Result<(), Failure> {
    reserve(&mut tx, &out, &command.order_id, &command.items).await
}

async fn on_failed(
    Event(payment): Event<PaymentFailed>,
    mut tx: Tx,
    out: Outbox,
    State(guards): State<Guards>,
) -> Result<(), Failure> {
    release(&mut tx, &out, &payment.order_id, &guards).await
}

async fn on_release(
    Event(command): Event<ReleaseInventory>,
    mut tx: Tx,
    out: Outbox,
    State(guards): State<Guards>,
) -> Result<(), Failure> {
    release(&mut tx, &out, &command.order_id, &guards).await
}

/// An order is reserved once, however many messages ask for it: its id is the action's.
fn action(order_id: &str) -> ActionId {
    ActionId(format!("{order_id}/reserve"))
}

async fn reserve(tx: &mut Tx, out: &Outbox, order_id: &str, items: &[Item]) -> Result<(), Failure> {
    let order_id = order_id.to_owned();
    match Participant.begin(tx, &action(&order_id)).await? {
        Begun::Do => match stock::take(tx, &order_id, items).await? {
            Ok(items) => out.publish(&InventoryReserved { order_id, items }),
            Err(reason) => out.publish(&InventoryRejected { order_id, reason }),
        },
        Begun::Again(_) => match stock::taken(tx, &order_id).await? {
            items if items.is_empty() => {
                let reason = "out of stock".to_owned();
                out.publish(&InventoryRejected { order_id, reason });
            }
            items => out.publish(&InventoryReserved { order_id, items }),
        },
        Begun::Cancelled => {
            let reason = "the order was given up before".to_owned();
            out.publish(&InventoryRejected { order_id, reason });
        }
    }
    Ok(())
}

async fn release(
    tx: &mut Tx,
    out: &Outbox,
    order_id: &str,
    guards: &Guards,
) -> Result<(), Failure> {
    let cancelled = match guards.has(Guard::Tombstone) {
        true => Participant.cancel(tx, &action(order_id)).await?,
        // What comes later isn't refused.
        false => Cancelled::Undo,
    };
    let items = match cancelled {
        Cancelled::Undo => stock::give_back(tx, order_id).await?,
        Cancelled::Nothing => Vec::new(),
    };
    let order_id = order_id.to_owned();
    out.publish(&InventoryReleased { order_id, items });
    Ok(())
}

async fn sell(Event(order): Event<OrderConfirmed>, mut tx: Tx) -> Result<(), Failure> {
    Ok(stock::sell(&mut tx, &order.order_id).await?)
}

async fn show(AppState(db): AppState<Db>) -> Result<Json<Vec<Stock>>, Problem> {
    Ok(Json(stock::all(&db).await?))
}
