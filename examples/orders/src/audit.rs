//! The audit: looks at the shop from outside, and checks that everything agrees.
//!
//! It reads what customers were told (`load.jsonl`), what chaos did (`chaos.jsonl`), the databases,
//! the provider's ledger and the mail server, and shares no code with those who wrote them: nothing
//! here uses another part of this crate.
//!
//! | check | |
//! |---|---|
//! | orders | each accepted order is there once, and confirmed or cancelled; no other is there |
//! | money | what the provider has is what confirmed orders cost, and so say the books and sales |
//! | stock | what is sold is what confirmed orders need; nothing is negative or still set aside |
//! | effects | one shipment for each confirmed order, one mail for each order and kind |
//! | read model | `order_summaries` is what the events give; no number is missing in a timeline |
//! | messages | each message that can't be read is dead once; nothing else is dead, or waits |
//! | traces | all messages of an order have one correlation id and one trace; so have log lines |

mod checks;
mod evidence;
mod read;

use std::{error::Error, path::PathBuf, time::Duration};

use tokio::time::{Instant, sleep};

use evidence::Evidence;

type Failed = Box<dyn Error + Send + Sync>;

/// How long to wait before everything is looked at again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The most findings of a check that are printed.
const SHOWN_MAX: usize = 10;

/// What `shop audit` is told.
#[derive(clap::Args, Clone, Debug)]
pub struct AuditSettings {
    /// The directory of the shop, `--dir` of `shop run`
    #[arg(long)]
    pub dir: PathBuf,

    /// For how many seconds to look again while something doesn't agree yet
    #[arg(long, default_value_t = 60)]
    pub patience_s: u64,
}

/// What a check found.
#[derive(Clone, Debug)]
struct Checked {
    name: &'static str,
    /// What doesn't agree, for people.
    findings: Vec<String>,
    /// What was counted, for people.
    counted: String,
}

/// Checks everything, and fails if anything doesn't agree.
pub async fn run(settings: AuditSettings) -> Result<(), Failed> {
    let deadline = Instant::now() + Duration::from_secs(settings.patience_s);
    let checked = loop {
        let evidence = Evidence::read(&settings.dir).await?;
        let checked = checks::all(&evidence);
        let agrees = checked.iter().all(|check| check.findings.is_empty());
        if agrees || Instant::now() >= deadline {
            break checked;
        }
        sleep(AGAIN_AFTER).await;
    };
    let count = checked.iter().map(|check| check.findings.len()).sum();
    say(&checked);
    match count {
        0 => Ok(()),
        count => Err(format!("the audit found {count} faults").into()),
    }
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn say(checked: &[Checked]) {
    for check in checked {
        let result = match check.findings.len() {
            0 => "agrees".to_owned(),
            count => format!("{count} FAULTS"),
        };
        println!("{:<11} {result:<10} {}", check.name, check.counted);
        for finding in check.findings.iter().take(SHOWN_MAX) {
            println!("            {finding}");
        }
    }
}

#[cfg(test)]
mod tests {
    /// The files of the audit, which must not use what they audit.
    const FILES: [&str; 9] = [
        include_str!("audit.rs"),
        include_str!("audit/evidence.rs"),
        include_str!("audit/read.rs"),
        include_str!("audit/checks.rs"),
        include_str!("audit/checks/orders.rs"),
        include_str!("audit/checks/money.rs"),
        include_str!("audit/checks/stock.rs"),
        include_str!("audit/checks/effects.rs"),
        include_str!("audit/checks/messages.rs"),
    ];

    #[test]
    fn the_audit_shares_no_code_with_what_it_audits() {
        for file in FILES {
            let uses = file.lines().filter(|line| line.contains("crate::"));
            let foreign: Vec<_> = uses
                .filter(|line| !line.contains("\"crate::\"") && !line.contains("crate::audit"))
                .collect();
            assert!(foreign.is_empty(), "{foreign:?}");
        }
    }
}
