//! Test cards, and what the provider does with each.

use std::time::Duration;

/// Approved. So is every number that isn't one of those below.
pub const APPROVED: &str = "4242424242424242";
/// Declined.
pub const DECLINED: &str = "4000000000000002";
/// Fails with 503 twice, and is approved then.
pub const FAILS_TWICE: &str = "4000000000000119";
/// The money is taken, and no answer comes.
pub const HANGS: &str = "4000000000000259";
/// Approved; the provider tells the result by itself, and then answers.
pub const ANSWERS_TWICE: &str = "4000000000000077";
/// Approved, after up to three seconds.
pub const SLOW: &str = "4000000000000101";

/// What the provider does with a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// As [`APPROVED`].
    Approve,
    /// As [`DECLINED`].
    Decline,
    /// As [`FAILS_TWICE`].
    FailTwice,
    /// As [`HANGS`].
    Hang,
    /// As [`ANSWERS_TWICE`].
    AnswerTwice,
    /// As [`SLOW`].
    Slow,
}

/// What the provider does with a card.
pub fn behaviour(card: &str) -> Behaviour {
    match card {
        DECLINED => Behaviour::Decline,
        FAILS_TWICE => Behaviour::FailTwice,
        HANGS => Behaviour::Hang,
        ANSWERS_TWICE => Behaviour::AnswerTwice,
        SLOW => Behaviour::Slow,
        _ => Behaviour::Approve,
    }
}

/// How long a slow card takes: up to three seconds, the same each time for a key.
pub(super) fn slowness(key: &str) -> Duration {
    let sum = key.bytes().fold(0_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    Duration::from_millis(sum % 3000)
}
