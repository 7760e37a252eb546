//! What an instance of a saga or of a process has wanted, in a time that is a number.

use std::sync::Arc;

use stele_toolkit_envelope::{Context, Envelope, Ids, Message, SeededIds, Timestamp};
use stele_toolkit_saga::{Draft, Effect, Entry, SagaId};

use crate::{
    Expected,
    difference::{Item, assert_same},
    message::item,
};

/// The beginning of 2024.
pub(crate) const BEGIN: Timestamp = Timestamp::from_micros(1_704_067_200_000_000);

/// The time, and what an instance has wanted to be sent since the last look at it.
#[derive(Debug)]
pub(crate) struct Course {
    ids: Arc<SeededIds>,
    new: Vec<Effect>,
    history: Vec<Entry>,
    alerts: Vec<String>,
}

impl Course {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            ids: Arc::new(SeededIds::new(1, now)),
            new: Vec::new(),
            history: Vec::new(),
            alerts: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.ids.now()
    }

    pub(crate) fn set(&self, now: Timestamp) {
        self.ids.set(now);
    }

    /// A message to an instance, in an envelope.
    #[track_caller]
    pub(crate) fn envelope<M: Message>(&self, to: &SagaId, message: &M) -> Envelope {
        let context = Context::new("participant")
            .with_ids(self.ids.clone())
            .with_correlation_id(to.0.clone());
        Envelope::of(message, &context).expect("a message that is JSON")
    }

    pub(crate) fn note(&mut self, effects: Vec<Effect>) {
        for effect in &effects {
            match effect {
                Effect::Log(entry) => self.history.push(entry.clone()),
                Effect::Alert(alert) => self.alerts.push(alert.clone()),
                Effect::Command { .. } | Effect::Act { .. } | Effect::Event(_) => {}
            }
        }
        self.new.extend(effects);
    }

    #[track_caller]
    pub(crate) fn then(&mut self, expected: impl IntoIterator<Item = Expected>) {
        let effects = self.new.drain(..);
        let got: Vec<Item> = effects.filter_map(|effect| sent(&effect)).collect();
        assert_same("other messages were sent", &Expected::items(expected), &got);
    }

    #[track_caller]
    pub(crate) fn then_types<'a>(&mut self, expected: impl IntoIterator<Item = &'a str>) {
        let expected: Vec<Item> = expected.into_iter().map(Item::line).collect();
        let name = |effect: Effect| {
            let (_, draft) = message_of(&effect)?;
            Some(Item::line(draft.message_type))
        };
        let got: Vec<Item> = self.new.drain(..).filter_map(name).collect();
        assert_same("other messages were sent", &expected, &got);
    }

    /// What has happened.
    pub(crate) fn history(&self) -> &[Entry] {
        &self.history
    }

    /// What people were told.
    pub(crate) fn alerts(&self) -> &[String] {
        &self.alerts
    }
}

/// How a message that an effect sends is shown and compared.
fn sent(effect: &Effect) -> Option<Item> {
    let (kind, draft) = message_of(effect)?;
    Some(item(kind, draft.message_type, draft.version, &draft.data))
}

/// The message that an effect sends, and whether it is a command or an event.
fn message_of(effect: &Effect) -> Option<(&'static str, &Draft)> {
    match effect {
        Effect::Command { draft, .. } | Effect::Act { draft, .. } => Some(("command", draft)),
        Effect::Event(draft) => Some(("event", draft)),
        Effect::Alert(_) | Effect::Log(_) => None,
    }
}
