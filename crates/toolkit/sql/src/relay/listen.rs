//! What wakes a relay when another process has committed messages: PostgreSQL's notifications.

use std::{convert::Infallible, time::Duration};

#[cfg(feature = "postgres")]
use sqlx::postgres::PgListener;

use crate::{Db, Dialect};

/// The pause before it connects again.
const PAUSE: Duration = Duration::from_secs(1);

/// Wakes the relay at each notification, and connects again whenever the connection is lost. It
/// never ends: a listener that had died silently would leave nothing but the poll.
pub(super) async fn run(db: &Db) -> Infallible {
    if db.dialect() == Dialect::Sqlite {
        return std::future::pending().await;
    }
    loop {
        if let Err(error) = listen(db).await {
            tracing::warn!(%error, "lost the notifications of the outbox, connects again");
        }
        db.clock().sleep(PAUSE).await;
    }
}

#[cfg(feature = "postgres")]
async fn listen(db: &Db) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect(db.url()).await?;
    listener
        .listen(&format!("{}outbox", db.options().prefix))
        .await?;
    // What was committed before it listened.
    db.outbox_has_changed();
    while listener.try_recv().await?.is_some() {
        db.outbox_has_changed();
    }
    Ok(())
}

#[cfg(not(feature = "postgres"))]
async fn listen(_: &Db) -> Result<(), sqlx::Error> {
    std::future::pending().await
}
