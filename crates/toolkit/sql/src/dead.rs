//! Dead letters in the database, for whoever mends them.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{Row, any::AnyRow};
use stele_toolkit_bus::{DeadLetter, DeadLetters, Edit, Filter, LettersError, StoreError};
use stele_toolkit_envelope::Timestamp;

use crate::{Db, Error, Tx, inbox, parked};

/// The dead letters of a service. Each is a row, beside the letter in the dead-letter queue, and
/// keeps its place among the messages of its key, which wait for it.
#[derive(Clone, Debug)]
pub struct SqlLetters {
    db: Db,
    service: String,
}

impl Db {
    /// The dead letters of a service.
    pub fn dead_letters(&self, service: impl Into<String>) -> SqlLetters {
        SqlLetters {
            db: self.clone(),
            service: service.into(),
        }
    }

    /// The names of the services that have dead letters here, in order.
    pub async fn services_with_dead_letters(&self) -> Result<Vec<String>, Error> {
        let find = "SELECT DISTINCT service FROM {p}parked WHERE is_dead = 1 ORDER BY service";
        let mut reader = self.reader().await?;
        let find = sqlx::query_scalar(self.sql(find));
        Ok(find.fetch_all(&mut *reader).await?)
    }
}

impl SqlLetters {
    /// The body of a letter as it came, whether it was edited since or not; also once the message
    /// has been retried, as long as it isn't handled.
    pub async fn original(&self, handler: &str, message_id: &str) -> Result<Option<Bytes>, Error> {
        let find = "SELECT body FROM {p}parked
            WHERE service = $1 AND handler = $2 AND message_id = $3";
        let mut reader = self.db.reader().await?;
        let find = sqlx::query_scalar(self.db.sql(find));
        let find = find.bind(&self.service).bind(handler).bind(message_id);
        let body: Option<Vec<u8>> = find.fetch_optional(&mut *reader).await?;
        Ok(body.map(Bytes::from))
    }

    async fn find(&self, filter: &Filter) -> Result<Vec<DeadLetter>, Error> {
        let find = "SELECT letter_id, handler, message_id, key, message,
                COALESCE(body_edited, body) AS body, origin, story
            FROM {p}parked WHERE is_dead = 1 AND service = $1
                AND letter_id = COALESCE($2, letter_id) AND handler = COALESCE($3, handler)
                AND key = COALESCE($4, key)
            ORDER BY seq";
        let mut reader = self.db.reader().await?;
        let rows = sqlx::query(self.db.sql(find))
            .bind(&self.service)
            .bind(filter.id.as_deref())
            .bind(filter.handler.as_deref())
            .bind(filter.key.as_deref())
            .fetch_all(&mut *reader)
            .await?;
        let mut letters = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        letters.retain(|letter| filter.fits(letter));
        Ok(letters)
    }

    /// Parks dead messages, to be handled as if for the first time. Returns how many still were
    /// dead.
    async fn revive(&self, letters: &[DeadLetter], edit: Option<&[u8]>) -> Result<usize, Error> {
        let revive =
            "UPDATE {p}parked SET is_dead = 0, attempts = 0, leased_until = 0, due_at = $1,
            letter_id = NULL, story = NULL, body_edited = COALESCE($2, body_edited)
            WHERE service = $3 AND letter_id = $4 AND is_dead = 1";
        let mut tx = self.db.begin().await?;
        let mut count = 0;
        for letter in letters {
            let revived = sqlx::query(self.db.sql(revive))
                .bind(self.db.now().as_micros())
                .bind(edit)
                .bind(&self.service)
                .bind(&letter.id)
                .execute(&mut *tx)
                .await?;
            count += usize::from(revived.rows_affected() > 0);
        }
        tx.commit().await?;
        self.db.due_has_changed();
        Ok(count)
    }

    async fn remove(&self, letters: &[DeadLetter]) -> Result<usize, Error> {
        let mut tx = self.db.begin().await?;
        let mut count = 0;
        for letter in letters {
            count += usize::from(self.remove_one(&mut tx, &letter.id).await?);
        }
        tx.commit().await?;
        self.db.due_has_changed();
        Ok(count)
    }

    /// Notes it as handled too: it may be delivered again.
    async fn remove_one(&self, tx: &mut Tx, id: &str) -> Result<bool, Error> {
        let remove = "DELETE FROM {p}parked WHERE service = $1 AND letter_id = $2 AND is_dead = 1
            RETURNING handler, message_id, message_at";
        let remove = sqlx::query(self.db.sql(remove))
            .bind(&self.service)
            .bind(id);
        let Some(row) = remove.fetch_optional(&mut **tx).await? else {
            return Ok(false);
        };
        let (handler, message_id): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let timestamp = Timestamp::from_micros(row.try_get(2)?);
        inbox::note(tx, &handler, &message_id, timestamp).await?;
        Ok(true)
    }
}

#[async_trait]
impl DeadLetters for SqlLetters {
    async fn list(&self, filter: &Filter) -> Result<Vec<DeadLetter>, LettersError> {
        Ok(self.find(filter).await.map_err(StoreError::from)?)
    }

    async fn retry(&self, filter: &Filter) -> Result<usize, LettersError> {
        let letters = self.list(filter).await?;
        Ok(self
            .revive(&letters, None)
            .await
            .map_err(StoreError::from)?)
    }

    async fn edit(&self, id: &str, edit: Edit) -> Result<(), LettersError> {
        let letter = self.show(id).await?;
        let revived = self.revive(&[letter], Some(&edit.body)).await;
        match revived.map_err(StoreError::from)? {
            0 => Err(LettersError::NoSuchLetter { id: id.to_owned() }),
            _ => Ok(()),
        }
    }

    async fn forget(&self, filter: &Filter) -> Result<usize, LettersError> {
        let letters = self.list(filter).await?;
        Ok(self.remove(&letters).await.map_err(StoreError::from)?)
    }
}

fn read(row: &AnyRow) -> Result<DeadLetter, Error> {
    let message = parked::message(row)?;
    let story = parked::story(row)?.ok_or_else(|| Error::Unreadable {
        table: "parked",
        reason: "a dead letter without its failures".to_owned(),
    })?;
    Ok(DeadLetter {
        id: row.try_get("letter_id")?,
        handler: row.try_get("handler")?,
        message_id: row.try_get("message_id")?,
        key: message.key,
        to: message.to,
        origin: parked::origin(row)?.to_string(),
        story,
        headers: message.headers,
        body: message.body,
    })
}
