//! What an order costs: messages, syncs and calls of databases, for each protocol and style.

use std::{net::SocketAddr, path::Path, time::Duration};

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{
    http::HttpClient,
    load::{self, LoadSettings},
    process::Failed,
    run::Addresses,
    settings::{Protocol, Style},
    trial::{Trial, TrialSettings},
};

/// What `shop costs` is told.
#[derive(clap::Args, Clone, Debug)]
pub struct CostsSettings {
    #[command(flatten)]
    pub trial: TrialSettings,

    /// How many good orders are placed in each shop
    #[arg(long, default_value_t = 100)]
    pub orders: u64,

    /// How many are placed in a second
    #[arg(long, default_value_t = 5.0)]
    pub rate: f64,
}

/// After how long without a message a shop is at rest: all leases, polls and waits are shorter.
const REST: Duration = Duration::from_secs(6);

const POLL: Duration = Duration::from_millis(500);

/// How many orders are placed before any is counted, so that tables, groups and connections exist.
const WARM_UP: u64 = 10;

/// What was counted in a shop, from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    published: f64,
    delivered: f64,
    broker_syncs: f64,
    commits: f64,
    statements: f64,
}

/// Counts in all of them, and prints the table.
pub async fn run(settings: CostsSettings) -> Result<(), Failed> {
    let temporary = tempfile::tempdir()?;
    let dir = settings.trial.dir.as_deref();
    let dir = dir.unwrap_or(TempDir::path(&temporary));
    let mut rows = Vec::new();
    for (protocol, style) in settings.trial.combinations() {
        let dir = dir.join(format!("{protocol}-{style}"));
        let costs = costs(&settings, (protocol, style), &dir).await?;
        rows.push((protocol, style, costs));
    }
    say(&rows);
    Ok(())
}

async fn costs(
    settings: &CostsSettings,
    combination: (Protocol, Style),
    dir: &Path,
) -> Result<Counts, Failed> {
    let options = ["--count-statements".to_owned()];
    let trial = Trial::open(&settings.trial, combination, dir, &options).await?;
    let meter = Meter {
        http: HttpClient::new(Duration::from_secs(10)),
        addresses: Addresses::of_shop(dir).await?,
    };
    let load = |orders, seed| LoadSettings {
        dir: dir.to_owned(),
        orders,
        rate: settings.rate,
        only: Some("good".to_owned()),
        seed,
        patience_s: 120,
    };
    load::carry_out(&load(WARM_UP, 1)).await?;
    // What happens although nobody orders anything is measured, and isn't a cost of orders.
    let (at_rest, resting) = (meter.at_rest().await?, Instant::now());
    sleep(REST).await;
    let before = meter.read().await?;
    let idle = before.minus(at_rest).each(resting.elapsed().as_secs_f64());
    let begun = Instant::now();
    let report = load::carry_out(&load(settings.orders, 2)).await?;
    if report.open() > 0 {
        return Err(format!("{} orders are open", report.open()).into());
    }
    let after = meter.at_rest().await?;
    let idle = idle.times(begun.elapsed().as_secs_f64());
    trial.close().await?;
    let orders = u32::try_from(settings.orders).unwrap_or(u32::MAX);
    Ok(after.minus(before).minus(idle).each(f64::from(orders)))
}

/// Reads the counts of a shop.
#[derive(Debug)]
struct Meter {
    http: HttpClient,
    addresses: Addresses,
}

impl Meter {
    /// The counts once no message has come or gone for a while.
    async fn at_rest(&self) -> Result<Counts, Failed> {
        let mut counts = self.read().await?;
        let mut since = Instant::now();
        while since.elapsed() < REST {
            sleep(POLL).await;
            let now = self.read().await?;
            if (now.published, now.delivered) != (counts.published, counts.delivered) {
                since = Instant::now();
            }
            counts = now;
        }
        Ok(counts)
    }

    async fn read(&self) -> Result<Counts, Failed> {
        let mut counts = Counts::default();
        let order = [("order", self.addresses.order)];
        for (_, address) in self.addresses.peers().into_iter().chain(order) {
            let text = self.metrics(address).await?;
            counts.published += sum(&text, "messages_published_total");
            counts.delivered += sum(&text, "messages_delivered_total");
            counts.commits += sum(&text, "database_commits_total");
            counts.statements += sum(&text, "database_statements_total");
        }
        let admin = self.addresses.broker_ports.get("admin");
        let admin = *admin.ok_or("the broker isn't the shop's own")?;
        let text = self
            .metrics(SocketAddr::from(([127, 0, 0, 1], admin)))
            .await?;
        counts.broker_syncs = sum(&text, "stele_journal_sync_duration_seconds_count");
        Ok(counts)
    }

    async fn metrics(&self, address: SocketAddr) -> Result<String, Failed> {
        Ok(self
            .http
            .get(&format!("http://{address}/metrics"))
            .await?
            .text())
    }
}

/// The sum of a metric, over all of its labels.
fn sum(text: &str, name: &str) -> f64 {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let is_whole = rest.starts_with([' ', '{']);
        let value = rest.rsplit(' ').next().filter(|_| is_whole)?;
        value.parse::<f64>().ok()
    });
    values.sum()
}

impl Counts {
    fn with(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            published: of(self.published, other.published),
            delivered: of(self.delivered, other.delivered),
            broker_syncs: of(self.broker_syncs, other.broker_syncs),
            commits: of(self.commits, other.commits),
            statements: of(self.statements, other.statements),
        }
    }

    fn minus(self, other: Self) -> Self {
        self.with(other, |a, b| a - b)
    }

    fn times(self, factor: f64) -> Self {
        self.with(self, |a, _| a * factor)
    }

    fn each(self, count: f64) -> Self {
        self.times(1.0 / count)
    }
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn say(rows: &[(Protocol, Style, Counts)]) {
    println!("| | published | delivered | syncs of the broker | transactions | statements |");
    println!("|---|---|---|---|---|---|");
    for (protocol, style, costs) in rows {
        println!(
            "| {protocol}, {style} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} |",
            costs.published, costs.delivered, costs.broker_syncs, costs.commits, costs.statements
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_labels() {
        let text = "# HELP a x\na 1\na{b=\"c\"} 2.5\nab 7\na_total 9\n";
        assert!((sum(text, "a") - 3.5).abs() < 1e-9);
        assert!(sum(text, "missing").abs() < 1e-9);
    }
}
