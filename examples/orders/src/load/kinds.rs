//! The kinds of orders that customers place.

use crate::{dice::Dice, process::Failed, provider::cards};

/// A kind of order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) sku: &'static str,
    pub(super) card: &'static str,
    /// How many of a hundred orders are of this kind.
    share: u64,
}

/// The name of those whose customer doesn't wait for an answer.
pub(super) const ABANDONED: &str = "abandoned";

/// The name of those that nothing stands in the way of.
pub(super) const GOOD: &str = "good";

const fn kind(name: &'static str, sku: &'static str, card: &'static str, share: u64) -> Kind {
    Kind {
        name,
        sku,
        card,
        share,
    }
}

static KINDS: [Kind; 9] = [
    kind(GOOD, "teapot", cards::APPROVED, 60),
    // There are a few of these, or none at all.
    kind("scarce", "lamp", cards::APPROVED, 6),
    kind("out-of-stock", "kettle", cards::APPROVED, 6),
    kind("declined", "cup", cards::DECLINED, 10),
    kind("hanging", "cup", cards::HANGS, 3),
    kind("failing-twice", "cup", cards::FAILS_TWICE, 4),
    kind("answered-twice", "cup", cards::ANSWERS_TWICE, 3),
    kind("slow", "cup", cards::SLOW, 3),
    kind(ABANDONED, "teapot", cards::APPROVED, 5),
];

/// All kinds, or the one of a name.
pub(super) fn named(name: Option<&str>) -> Result<&'static [Kind], Failed> {
    let Some(name) = name else {
        return Ok(&KINDS);
    };
    let at = KINDS.iter().position(|kind| kind.name == name);
    let at = at.ok_or_else(|| format!("there are no orders of the kind {name:?}"))?;
    Ok(&KINDS[at..=at])
}

/// A kind by chance, of several of which there is one at least.
pub(super) fn roll(dice: &Dice, kinds: &'static [Kind]) -> Kind {
    let mut left = dice.below(kinds.iter().map(|kind| kind.share).sum());
    let mut shares = kinds.iter();
    let rolled = shares.find(|kind| match left.checked_sub(kind.share) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    });
    *rolled.unwrap_or(&kinds[0])
}
