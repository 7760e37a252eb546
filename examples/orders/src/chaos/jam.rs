//! A fault that a person mends: shipping can't print labels until somebody puts paper in, and the
//! dead letters that came of it are retried.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    http::{HttpClient, NoAnswer},
    letters::{Letter, Nothing},
    process::Failed,
    run::Addresses,
    shipping::Paper,
};

/// How long to wait for a dead letter, and for the last retry of one.
const PATIENCE: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(100);

/// What shipping says when it has no paper.
const REASON: &str = "out of paper";

/// Takes the paper out until there is a dead letter, puts it in, and retries all of them.
pub(super) async fn jam(addresses: &Addresses) -> Result<Value, Failed> {
    let http = HttpClient::new(Duration::from_secs(1));
    let shipping = Shipping {
        http,
        address: addresses.shipping,
    };
    // If it is being started again, it has paper.
    shipping.paper(false).await.ok();
    let deadline = Instant::now() + PATIENCE;
    while shipping.letters().await.unwrap_or_default().is_empty() && Instant::now() < deadline {
        sleep(POLL).await;
    }
    while shipping.paper(true).await.is_err() {
        sleep(POLL).await;
    }
    let retried = shipping.retry_all().await?;
    Ok(json!({"what": "jam", "process": "shipping", "retried": retried}))
}

struct Shipping {
    http: HttpClient,
    address: SocketAddr,
}

impl Shipping {
    async fn paper(&self, has_paper: bool) -> Result<(), NoAnswer> {
        let url = format!("http://{}/printer", self.address);
        self.http.put(&url, &Paper { has_paper }).await?;
        Ok(())
    }

    /// The dead letters for want of paper.
    async fn letters(&self) -> Result<Vec<Letter>, Failed> {
        let url = format!("http://{}/dead", self.address);
        let mut letters: Vec<Letter> = self.http.get(&url).await?.json()?;
        letters.retain(|letter| letter.error.contains(REASON));
        Ok(letters)
    }

    /// Retries them until there are none; how often one was retried.
    async fn retry_all(&self) -> Result<usize, Failed> {
        let deadline = Instant::now() + PATIENCE;
        let mut retried = 0;
        loop {
            let letters = match self.letters().await {
                Ok(none) if none.is_empty() => return Ok(retried),
                Ok(letters) => letters,
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => Vec::new(),
            };
            for letter in letters {
                let url = format!("http://{}/dead/{}/retry", self.address, letter.id);
                // One that isn't there any more was retried by somebody else.
                if self.http.post(&url, &[], &Nothing {}).await.is_ok() {
                    retried += 1;
                }
            }
            if Instant::now() > deadline {
                return Err("there are still dead letters for want of paper".into());
            }
            sleep(POLL).await;
        }
    }
}
