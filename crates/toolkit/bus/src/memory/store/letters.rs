//! Dead letters in memory.

use async_trait::async_trait;

use super::{
    MemoryStore,
    rows::{MessageKey, Row, RowState},
};
use crate::{DeadLetter, DeadLetters, Edit, Filter, LettersError};

impl MemoryStore {
    /// The dead letters of a service.
    pub fn dead_letters(&self, service: impl Into<String>) -> MemoryLetters {
        MemoryLetters {
            service: service.into(),
            store: self.clone(),
        }
    }
}

/// The dead letters of a service in a [`MemoryStore`].
#[derive(Debug)]
pub struct MemoryLetters {
    service: String,
    store: MemoryStore,
}

impl MemoryLetters {
    fn letters(&self, filter: &Filter) -> Vec<(MessageKey, DeadLetter)> {
        let state = self.store.state();
        let rows = state.rows.rows.values();
        let of_service = rows.filter(|(_, row)| row.service == self.service);
        let dead = of_service.filter_map(|(key, row)| Some((key.clone(), letter(key, row)?)));
        dead.filter(|(_, letter)| filter.fits(letter)).collect()
    }

    /// Parks a dead message, to be handled as if for the first time.
    fn revive(&self, key: &MessageKey, change: impl FnOnce(&mut Row)) {
        let now = self.store.clock().now();
        let mut state = self.store.state();
        let mut rows = state.rows.rows.values_mut();
        if let Some((_, row)) = rows.find(|(known, _)| known == key) {
            row.attempts = 0;
            row.story = None;
            row.state = RowState::Parked { due: now };
            change(row);
        }
    }
}

fn letter(key: &MessageKey, row: &Row) -> Option<DeadLetter> {
    let RowState::Dead { letter_id } = &row.state else {
        return None;
    };
    Some(DeadLetter {
        id: letter_id.clone(),
        handler: key.handler.clone(),
        message_id: key.message_id.clone(),
        key: row.key.clone(),
        to: row.message.to.clone(),
        origin: row.origin.to_string(),
        story: row.story.clone()?,
        headers: row.message.headers.clone(),
        body: row.message.body.clone(),
    })
}

#[async_trait]
impl DeadLetters for MemoryLetters {
    async fn list(&self, filter: &Filter) -> Result<Vec<DeadLetter>, LettersError> {
        self.store.reachable()?;
        let letters = self.letters(filter).into_iter();
        Ok(letters.map(|(_, letter)| letter).collect())
    }

    async fn retry(&self, filter: &Filter) -> Result<usize, LettersError> {
        self.store.reachable()?;
        let letters = self.letters(filter);
        for (key, _) in &letters {
            self.revive(key, |_| {});
        }
        self.store.due_has_changed();
        Ok(letters.len())
    }

    async fn edit(&self, id: &str, edit: Edit) -> Result<(), LettersError> {
        self.store.reachable()?;
        let mut letters = self.letters(&Filter::of_id(id));
        let (key, _) = letters
            .pop()
            .ok_or_else(|| LettersError::NoSuchLetter { id: id.to_owned() })?;
        self.revive(&key, |row| row.message.body = edit.body);
        self.store.due_has_changed();
        Ok(())
    }

    async fn forget(&self, filter: &Filter) -> Result<usize, LettersError> {
        self.store.reachable()?;
        let letters = self.letters(filter);
        for (key, _) in &letters {
            self.store.state().rows.remove(key);
        }
        self.store.due_has_changed();
        Ok(letters.len())
    }
}
