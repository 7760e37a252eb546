//! The checks.

mod effects;
mod messages;
mod money;
mod orders;
mod stock;

use super::{Checked, evidence::Evidence};

/// All checks.
pub(super) fn all(evidence: &Evidence) -> Vec<Checked> {
    vec![
        orders::orders(evidence),
        money::money(evidence),
        stock::stock(evidence),
        effects::effects(evidence),
        orders::read_model(evidence),
        messages::messages(evidence),
        messages::traces(evidence),
    ]
}

/// Notes that something isn't as it has to be.
fn agree<T: PartialEq + std::fmt::Debug>(
    findings: &mut Vec<String>,
    what: impl FnOnce() -> String,
    found: T,
    expected: T,
) {
    if found != expected {
        findings.push(format!("{}: {found:?}, not {expected:?}", what()));
    }
}

/// A count as a number with a sign.
fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
