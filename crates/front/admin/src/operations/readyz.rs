//! `GET /readyz[?verbose]`: 200 once everything is recovered, every port is open and every shard
//! answers; 503 before, and as soon as draining begins.
//!
//! With `verbose`, one line for each check: `[+]name ok` or `[-]name what is wrong`.

use hyper::StatusCode;
use tokio::time::timeout;

use crate::{
    limits::PROBE_TIMEOUT,
    router::{Answer, text},
    state::{Phase, State},
};

struct Check {
    name: &'static str,
    problem: Option<String>,
}

/// The answer.
pub(crate) async fn answer(state: &State, query: &str) -> Answer {
    let checks = [phase(state), shards(state).await];
    let failed = checks.iter().any(|check| check.problem.is_some());
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
    let problem = (phase != Phase::Ready).then(|| phase.word().to_owned());
    Check {
        name: "phase",
        problem,
    }
}

async fn shards(state: &State) -> Check {
    let problem = match state.serving() {
        Err(error) => Some(error.to_string()),
        Ok(serving) => match timeout(PROBE_TIMEOUT, serving.broker.shard_statuses()).await {
            Err(_) => Some("a shard doesn't answer".to_owned()),
            Ok(Err(error)) => Some(error.to_string()),
            Ok(Ok(_)) => None,
        },
    };
    Check {
        name: "shards",
        problem,
    }
}

fn verdict(checks: &[Check]) -> String {
    let first = checks.iter().find_map(|check| check.problem.as_deref());
    format!("{}\n", first.unwrap_or("ok"))
}

fn report(checks: &[Check]) -> String {
    checks
        .iter()
        .map(|Check { name, problem }| match problem {
            None => format!("[+]{name} ok\n"),
            Some(problem) => format!("[-]{name} {problem}\n"),
        })
        .collect()
}
