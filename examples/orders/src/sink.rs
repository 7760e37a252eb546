//! A mail server that keeps what it gets, for tests: SMTP (RFC 5321) on one port, and on another
//! `GET /mails`, which lists every copy that came.

mod smtp;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use axum::{Json, Router, extract::State, routing::get};
use serde::{Deserialize, Serialize};
use stele_toolkit_bus::asked_to_end;
use tokio::net::TcpListener;

use crate::{
    process::{self, Failed},
    settings::HttpSettings,
};

/// What the sink is told.
#[derive(clap::Args, Clone, Debug)]
pub struct SinkSettings {
    #[command(flatten)]
    pub http: HttpSettings,

    /// Where to listen for mail; port 0 is any free port
    #[arg(long, default_value = "127.0.0.1:0")]
    pub smtp: String,

    /// A file for the address that mail is taken at
    #[arg(long)]
    pub smtp_address_file: Option<std::path::PathBuf>,

    /// Refuses every so manieth mail for now, with the reply 451; 0 for none
    #[arg(long, default_value_t = 0)]
    pub busy_every: u64,
}

/// A mail as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// The address in `MAIL FROM`.
    pub from: String,
    /// The addresses in `RCPT TO`.
    pub to: Vec<String>,
    /// The header `Message-ID`.
    pub message_id: String,
    /// The header `Subject`.
    pub subject: String,
    /// Headers and text.
    pub data: String,
}

/// The mails that came.
#[derive(Debug, Default)]
struct Mails {
    received: Mutex<Vec<Received>>,
    offered: AtomicU64,
    busy_every: u64,
}

impl Mails {
    fn received(&self) -> MutexGuard<'_, Vec<Received>> {
        // A list is complete at any time.
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this mail is to be refused for now.
    fn is_busy(&self) -> bool {
        let number = self.offered.fetch_add(1, Ordering::Relaxed) + 1;
        self.busy_every > 0 && number.is_multiple_of(self.busy_every)
    }
}

/// Runs the sink until the process is asked to end.
pub async fn serve(settings: SinkSettings) -> Result<(), Failed> {
    let mails = Arc::new(Mails {
        busy_every: settings.busy_every,
        ..Mails::default()
    });
    let listener = TcpListener::bind(&settings.smtp).await?;
    if let Some(file) = &settings.smtp_address_file {
        let address = listener.local_addr()?.to_string();
        process::write_whole(file, address.as_bytes()).await?;
    }
    let router = Router::new()
        .route("/mails", get(all))
        .with_state(Arc::clone(&mails));
    let asked = asked_to_end()?;
    tokio::select! {
        () = asked => Ok(()),
        ended = process::serve(settings.http, router) => ended,
        ended = smtp::serve(listener, mails) => ended,
    }
}

async fn all(State(mails): State<Arc<Mails>>) -> Json<Vec<Received>> {
    Json(mails.received().clone())
}
