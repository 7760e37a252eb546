//! `GET /readyz[?verbose]`: 200 once recovery is done, every port is open and every shard responds;
//! 503 before, and as soon as draining begins.
//!
//! With `verbose`, prints one line per check: `[+]name ok`, `[-]name problem`, or `[!]name notice`.
//! A notice keeps the status at 200: while publishing is refused because of low disk space,
//! consumers must still be served, because they free space.

use hyper::StatusCode;
use stele_core_broker::ShardStatus;
use tokio::time::timeout;

use crate::{
    limits::PROBE_TIMEOUT,
    router::{Answer, text},
    state::{Phase, State},
};

struct Check {
    name: &'static str,
    finding: Finding,
}

enum Finding {
    InOrder,
    Notable(&'static str),
    Wrong(String),
}

/// The response.
pub(crate) async fn answer(state: &State, query: &str) -> Answer {
    let [shards, space] = shards(state).await;
    let checks = [phase(state), shards, space];
    let failed = problem(&checks).is_some();
    let status = if failed {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    let is_verbose = form_urlencoded::parse(query.as_bytes())
        .any(|(name, value)| name == "verbose" && !matches!(&*value, "0" | "false"));
    text(
        status,
        if is_verbose {
            report(&checks)
        } else {
            verdict(&checks)
        },
    )
}

fn phase(state: &State) -> Check {
    let phase = state.phase();
    Check {
        name: "phase",
        finding: match phase {
            Phase::Ready => Finding::InOrder,
            _ => Finding::Wrong(phase.word().to_owned()),
        },
    }
}

/// Checks that the shards respond and have disk space.
async fn shards(state: &State) -> [Check; 2] {
    let (shards, space) = match statuses(state).await {
        Ok(statuses) if statuses.iter().any(|shard| shard.is_blocked) => (
            Finding::InOrder,
            Finding::Notable("publishing is refused: less than storage.reserve is free"),
        ),
        Ok(_) => (Finding::InOrder, Finding::InOrder),
        Err(problem) => (Finding::Wrong(problem), Finding::Notable("not known")),
    };
    let check = |name, finding| Check { name, finding };
    [check("shards", shards), check("space", space)]
}

async fn statuses(state: &State) -> Result<Vec<ShardStatus>, String> {
    let serving = state.serving().map_err(|error| error.to_string())?;
    let statuses = timeout(PROBE_TIMEOUT, serving.broker.shard_statuses()).await;
    let statuses = statuses.map_err(|_| "a shard doesn't respond".to_owned())?;
    statuses.map_err(|error| error.to_string())
}

/// The first failed check.
fn problem(checks: &[Check]) -> Option<&str> {
    checks.iter().find_map(|check| match &check.finding {
        Finding::Wrong(problem) => Some(problem.as_str()),
        Finding::InOrder | Finding::Notable(_) => None,
    })
}

fn verdict(checks: &[Check]) -> String {
    format!("{}\n", problem(checks).unwrap_or("ok"))
}

fn report(checks: &[Check]) -> String {
    checks
        .iter()
        .map(|Check { name, finding }| match finding {
            Finding::InOrder => format!("[+]{name} ok\n"),
            Finding::Notable(what) => format!("[!]{name} {what}\n"),
            Finding::Wrong(problem) => format!("[-]{name} {problem}\n"),
        })
        .collect()
}
