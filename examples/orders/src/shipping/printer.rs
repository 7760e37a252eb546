//! The label printer, whose paper somebody may take out: a fault to look at, which a person mends.
//!
//! | | |
//! |---|---|
//! | `GET /printer` | whether it has paper |
//! | `PUT /printer` | takes the paper out, or puts some in |

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Json, Router,
    extract::{State, rejection::JsonRejection},
    routing::get,
};
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// The printer. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Printer {
    is_empty: Arc<AtomicBool>,
}

/// What is said of the printer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Paper {
    /// Whether it has paper.
    pub has_paper: bool,
}

/// There is no paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the label printer is out of paper")]
pub(super) struct OutOfPaper;

impl Printer {
    /// Prints a label.
    pub(super) fn print(&self) -> Result<(), OutOfPaper> {
        match self.is_empty.load(Ordering::Relaxed) {
            true => Err(OutOfPaper),
            false => Ok(()),
        }
    }

    fn paper(&self) -> Paper {
        let has_paper = !self.is_empty.load(Ordering::Relaxed);
        Paper { has_paper }
    }
}

/// The interface to it.
pub(super) fn router(printer: Printer) -> Router {
    Router::new()
        .route("/printer", get(show).put(set))
        .with_state(printer)
}

async fn show(State(printer): State<Printer>) -> Json<Paper> {
    Json(printer.paper())
}

async fn set(
    State(printer): State<Printer>,
    paper: Result<Json<Paper>, JsonRejection>,
) -> Result<Json<Paper>, Problem> {
    let Json(paper) = paper?;
    printer.is_empty.store(!paper.has_paper, Ordering::Relaxed);
    Ok(Json(printer.paper()))
}
