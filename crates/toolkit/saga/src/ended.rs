//! Instances that have ended are deleted after a time, with their histories.

use stele_toolkit_envelope::Timestamp;
use stele_toolkit_sql::{
    Tx,
    sqlx::{self, Row as _},
};

use crate::{SagaError, rows};

/// The instances of one saga that can be deleted.
pub(crate) const OF_SAGA: &str = "SELECT id FROM {p}sagas sagas
    WHERE name = $1 AND status IN ('done', 'undone') AND is_stuck = 0 AND changed_at < $2
        AND NOT EXISTS (SELECT 1 FROM {p}saga_requests r
            WHERE r.id = sagas.id AND r.name = sagas.name AND r.done_at IS NULL)
    ORDER BY changed_at LIMIT $3";

/// Deletes up to `max` instances of a saga that ended before this time, the oldest first, and says
/// how many. One that is stuck stays, and so does one of which an operator has asked something that
/// nobody has looked at. Those that another transaction is at are passed over.
pub(crate) async fn delete(
    tx: &mut Tx,
    name: &str,
    before: Timestamp,
    max: u32,
) -> Result<u32, SagaError> {
    let text = OF_SAGA.to_owned() + rows::locking(tx, " FOR UPDATE SKIP LOCKED");
    let query = sqlx::query(tx.db().sql(&text))
        .bind(name.to_owned())
        .bind(before.as_micros())
        .bind(i64::from(max));
    let mut deleted = 0;
    for row in query.fetch_all(&mut **tx).await? {
        let id: String = row.try_get(0)?;
        // Its commands were forgotten when it ended.
        for table in ["saga_log", "saga_requests", "sagas"] {
            let text = format!("DELETE FROM {{p}}{table} WHERE id = $1 AND name = $2");
            let query = sqlx::query(tx.db().sql(&text));
            let query = query.bind(id.clone()).bind(name.to_owned());
            query.execute(&mut **tx).await?;
        }
        deleted += 1;
    }
    Ok(deleted)
}
