//! Orders in the service's database: decided, recorded and told in one transaction.

use std::sync::Arc;

use stele_toolkit_bus::Failure;
use stele_toolkit_envelope::{Context, EncodeError, Envelope, Ids as _, Message as _, SystemIds};
use stele_toolkit_es::{
    Aggregate as _, AggregateEvent as _, AppendError, Expected, LoadError, Position, Repository,
    SqlStore,
};
use stele_toolkit_sql::{Db, Migration, Tx};

use super::{
    account::BankAccount,
    aggregate::{Action, Order, OrderEvent, Refusal},
};
use crate::{
    messages::{OrderCancelled, OrderConfirmed, OrderCreated},
    sending::to_topic,
};

pub(super) const MIGRATIONS: &[Migration] = &[Migration::portable(
    1,
    "CREATE TABLE order_requests (
        idempotency_key TEXT PRIMARY KEY,
        request TEXT NOT NULL,
        order_id TEXT NOT NULL,
        position TEXT NOT NULL
    )",
)];

/// How often an order is decided again because another process has changed it meanwhile.
const ATTEMPTS_MAX: usize = 5;

/// The orders and accounts. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    pub(super) store: Arc<SqlStore>,
    pub(super) orders: Arc<Repository<Order, SqlStore>>,
    pub(super) accounts: Arc<Repository<BankAccount, SqlStore>>,
    pub(super) timelines: Db,
}

/// Why an action wasn't carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum ActionError {
    /// The order refuses.
    #[error("{order_id}: {refusal}")]
    Refused {
        /// The order.
        order_id: String,
        /// Why.
        refusal: Refusal,
    },
    /// Others change the order all the time: try again later.
    #[error("{0} changes all the time")]
    Busy(String),
    /// The order can't be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its events weren't recorded.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// An event can't be written: a fault of the program.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The database.
    #[error(transparent)]
    Sql(#[from] stele_toolkit_sql::Error),
}

impl ActionError {
    /// What a handler makes of it: a refusal is a dead letter at once.
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Refused { .. } => Failure::reject(self.to_string()),
            other => other.into(),
        }
    }
}

impl Orders {
    pub(super) fn new(store: Arc<SqlStore>, timelines: Db) -> Self {
        Self {
            timelines,
            orders: Arc::new(Repository::new(Arc::clone(&store))),
            accounts: Arc::new(Repository::new(Arc::clone(&store))),
            store,
        }
    }

    pub(super) fn db(&self) -> &Db {
        self.store.db()
    }

    /// Decides an action, records what happens, and publishes what others have to know. At most
    /// once for each order in a transaction: what it appends is read again only after the commit.
    ///
    /// Returns the place behind what happened.
    pub(super) async fn execute(
        &self,
        tx: &mut Tx,
        order_id: &str,
        action: &Action,
        context: &Context,
    ) -> Result<Position, ActionError> {
        for _ in 0..ATTEMPTS_MAX {
            let loaded = self.orders.load(order_id).await?;
            let decided = loaded.state.decide(action, SystemIds.now());
            let decided = decided.map_err(|refusal| ActionError::Refused {
                order_id: order_id.to_owned(),
                refusal,
            })?;
            if decided.is_empty() {
                return Ok(Position::Start);
            }
            let (events, published) = written(&loaded.state, action, &decided, context)?;
            let expected = Expected::Version(loaded.version);
            let appended = self
                .store
                .append_in(tx, &loaded.stream, expected, &events)
                .await;
            match appended {
                Ok(appended) => {
                    for (envelope, topic) in &published {
                        tx.send(&[to_topic(envelope, topic, order_id)]).await?;
                    }
                    let store = Arc::clone(&self.store);
                    tx.after_commit(move || store.announce());
                    return Ok(appended.position);
                }
                Err(AppendError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ActionError::Busy(order_id.to_owned()))
    }
}

type Published = Vec<(Envelope, &'static str)>;

/// The events as they are recorded, and those that are published with their topics: what is decided
/// here, numbered for each order without a gap.
fn written(
    before: &Order,
    action: &Action,
    decided: &[OrderEvent],
    context: &Context,
) -> Result<(Vec<Envelope>, Published), EncodeError> {
    let mut number = before.published;
    let (mut recorded, mut published) = (Vec::new(), Vec::new());
    for event in decided {
        let mut envelope = event.wrap(context)?;
        let topic = match (action, event) {
            // Others have told it already.
            (Action::Note(_), _) => None,
            (_, OrderEvent::OrderCreated(_)) => Some(OrderCreated::TOPIC),
            (_, OrderEvent::OrderConfirmed(_)) => Some(OrderConfirmed::TOPIC),
            (_, OrderEvent::OrderCancelled(_)) => Some(OrderCancelled::TOPIC),
            _ => None,
        };
        if let Some(topic) = topic {
            number += 1;
            envelope.metadata.sequence = Some(number);
            published.push((envelope.clone(), topic));
        }
        recorded.push(envelope);
    }
    Ok((recorded, published))
}
