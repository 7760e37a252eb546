//! Dead letters, as tests look at them.

use stele_toolkit_bus::Incoming;
use stele_toolkit_envelope::Envelope;

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// The type of its message, or nothing if it can't be read.
    pub message_type: String,
    /// A word for its last failure that never changes: `rejected`, `timeout`, `not_json` and so on.
    pub reason: String,
    /// The last failure in words.
    pub error: String,
    /// How many attempts were counted.
    pub attempts: u32,
    /// The letter.
    pub letter: Incoming,
}

impl Dead {
    pub(super) fn of(letter: Incoming) -> Self {
        let header = |name: &str| letter.headers.text(name).unwrap_or_default().to_owned();
        let envelope = Envelope::decode(&letter.body, letter.body.len());
        Self {
            message_type: envelope.map_or(String::new(), |envelope| envelope.message_type),
            reason: header("reason"),
            error: header("error"),
            attempts: header("attempts").parse().unwrap_or(0),
            letter,
        }
    }
}
